from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from datnet.errors import DatNetError
from datnet.networks import vgg
from datnet.networks.statistics import channel_mean_std, normalize_channels
from datnet.networks.vgg import VggEncoder
from datnet.zoo import vgg_encoder
from datnet.zoo.backbones import find_weights, load_weights
from datnet.zoo.channel_means import channel_means, measure_channel_means


@pytest.fixture(scope="module")
def pretrained() -> tuple[VggEncoder, VggEncoder]:
    """VGG-16 with ImageNet weights, as it is and rescaled."""
    try:
        return vgg_encoder("vgg16", normalized=False), vgg_encoder("vgg16")
    except DatNetError as error:
        pytest.skip(f"VGG-16 weights cannot be had: {error}")


@torch.no_grad()
def test_sizes_are_rounded_up(encoder: VggEncoder) -> None:
    features = encoder(torch.rand(1, 3, 33, 50))
    sizes = [tuple(level.shape[1:]) for level in features]
    assert sizes == [(64, 33, 50), (128, 17, 25), (256, 9, 13), (512, 5, 7), (512, 3, 4)]
    assert len(encoder(torch.rand(1, 3, 32, 32), depth=4)) == 4


def test_frozen_also_in_training(encoder: VggEncoder) -> None:
    encoder.train()
    assert not encoder.training
    assert not any(p.requires_grad for p in encoder.parameters())


def test_public_weights_are_recorded_as_such_wherever_they_lie(pretrained) -> None:
    file = find_weights("vgg16")
    assert vgg_encoder("vgg16", file, normalized=False).weights == "imagenet"


@torch.no_grad()
def test_input_normalisation_is_folded_into_the_first_convolution(pretrained) -> None:
    plain, _ = pretrained
    weights = load_weights("vgg16")
    images = torch.rand(1, 3, 40, 40)
    mean, std = (torch.tensor(t)[:, None, None] for t in (vgg.IMAGENET_MEAN, vgg.IMAGENET_STD))
    padded = functional.pad((images - mean) / std, (1, 1, 1, 1), mode="reflect")
    expected = functional.conv2d(
        padded, weights["features.0.weight"], weights["features.0.bias"]
    ).relu()
    torch.testing.assert_close(plain(images, depth=1)[0], expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_rescaling_divides_features_by_their_means(pretrained) -> None:
    plain, normalized = pretrained
    images = torch.rand(1, 3, 64, 64)
    means = channel_means("vgg16", plain.layers())
    last_of_level = [0, 2, 4, 7, 10]  # conv1_1, conv2_1, … among all convolutions of VGG-16
    for raw, scaled, index in zip(plain(images), normalized(images), last_of_level, strict=True):
        expected = raw / means[index][:, None, None]
        assert (scaled - expected).abs().max() <= 1e-4 * expected.abs().max()


@torch.no_grad()
def test_rescaled_channels_have_mean_one_on_photographs(pretrained) -> None:
    from datnet.images.embedded import sample_images

    photographs = sorted(sample_images().eval_content.iterdir())
    means = measure_channel_means(pretrained[1].layers(), photographs)
    for mean in means:
        assert mean.mean().item() == pytest.approx(1, abs=0.35)
        assert mean.max() < 30


def test_unknown_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match="vgg19"):
        VggEncoder("resnet50")  # type: ignore[arg-type]


def test_statistics_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    mean, std = channel_mean_std(features)
    assert mean.item() == 3
    assert std.item() == pytest.approx((14 / 3 + 1e-5) ** 0.5)
    mean, std = channel_mean_std(normalize_channels(torch.randn(2, 3, 9, 7) * 5 + 2))
    torch.testing.assert_close(mean, torch.zeros(2, 3, 1, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(std, torch.ones(2, 3, 1, 1), atol=1e-4, rtol=0)


def test_statistics_of_half_precision_are_computed_in_float32() -> None:
    features = (torch.randn(1, 2, 64, 64) + 100).bfloat16()
    mean, std = channel_mean_std(features)
    assert mean.dtype == std.dtype == torch.float32
    exact = features.double().flatten(2).std(dim=2)
    torch.testing.assert_close(std.flatten(1).double(), exact, rtol=1e-3, atol=0)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_gradients_of_statistics(memory_format: torch.memory_format) -> None:
    features = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).double()
    features = features.contiguous(memory_format=memory_format).requires_grad_()
    assert torch.autograd.gradcheck(channel_mean_std, features)


def test_gradients_of_half_precision_statistics_are_those_of_float32() -> None:
    features = torch.randn(1, 2, 9, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    features = (features + 100).requires_grad_()
    exact = features.detach().double().requires_grad_()
    for each in (features, exact):
        (channel_mean_std(each)[1] * torch.tensor([2.0, -3.0])[:, None, None]).sum().backward()
    assert features.grad is not None
    assert features.grad.dtype == torch.bfloat16
    torch.testing.assert_close(features.grad.double(), exact.grad, rtol=2**-8, atol=1e-6)
