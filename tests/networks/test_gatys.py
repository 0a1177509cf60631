from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.gatys import Gatys, gram_matrix
from datnet.networks.vgg import CHANNELS, VggEncoder


def smooth(height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, 6, 6, generator=generator)
    return F.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def method(random_encoder: VggEncoder) -> Gatys:
    return Gatys(copy.deepcopy(random_encoder), steps=5).eval()


def test_gram_matrix() -> None:
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    assert gram_matrix(maps).tolist() == [[[2.5, 5.5], [5.5, 12.5]]]


@pytest.mark.parametrize("arch", ["vgg16", "vgg19"])
def test_features_are_those_of_the_encoder(arch: str) -> None:
    torch.manual_seed(0)
    encoder = VggEncoder(arch)
    picture = smooth(40, 50, seed=1)
    relu4_2, grams = Gatys(encoder).encode(picture)
    maps = encoder(picture)
    for gram, level in zip(grams, maps, strict=True):
        torch.testing.assert_close(gram, gram_matrix(level))
    # Block 4 begins after relu4_1: a convolution, its ReLU, and then the next convolution.
    conv4_2 = encoder.stages[4][0]
    assert isinstance(conv4_2, nn.Conv2d)
    torch.testing.assert_close(relu4_2, conv4_2(maps[3]).relu())


def test_loss_is_the_published_one(method: Gatys) -> None:
    """Squared errors of relu4_2 and, times 1e6 / C², of the Gram matrices, means throughout."""
    content, style, picture = (smooth(40, 40, seed) for seed in (1, 2, 3))
    relu4_2, grams = method.encode_content(content)[1], method.encode_style(style)
    own_relu4_2, own_grams = method.encode(picture)
    expected = (own_relu4_2 - relu4_2).square().mean()
    for own, gram, channels in zip(own_grams, grams, CHANNELS, strict=True):
        expected = expected + 1e6 / channels**2 * (own - gram).square().mean()
    torch.testing.assert_close(method.loss(picture, relu4_2, grams), expected)


@pytest.mark.parametrize("switch", [torch.no_grad, torch.inference_mode])
def test_steps_make_the_loss_smaller(method: Gatys, switch: type) -> None:
    """Also if the caller has disabled gradients."""
    content, style = smooth(32, 38, seed=1), smooth(40, 32, seed=2)
    with switch():
        features, grams = method.encode_content(content), method.encode_style(style)
        painting = method.generate(features, grams, (32, 38))
        losses = [method.loss(each, features[1], grams) for each in (content, painting)]
    assert losses[1] < 0.6 * losses[0]
    assert not painting.requires_grad
    assert not any(parameter.requires_grad for parameter in method.parameters())


@torch.no_grad()
def test_more_steps_come_closer(encoder: VggEncoder) -> None:
    content, style = smooth(32, 32, seed=1), smooth(32, 32, seed=2)
    losses = []
    for steps in (1, 3, 6):
        method = Gatys(encoder, steps)
        features, grams = method.encode_content(content), method.encode_style(style)
        painting = method.generate(features, grams, (32, 32))
        losses.append(method.loss(painting, features[1], grams).item())
    assert losses[0] > losses[1] > losses[2]


@torch.no_grad()
def test_a_step_is_one_look_at_the_loss(method: Gatys, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(Gatys, "loss", lambda self, picture, *_: looks.append(1) or picture.sum())
    method(smooth(32, 32, seed=1), smooth(32, 32, seed=2))
    assert 5 <= len(looks) <= 5 + 25  # a search along the last step may take some more


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (34, 65)])
def test_any_size_and_each_picture_of_a_batch_by_itself(
    method: Gatys, size: tuple[int, int]
) -> None:
    content = torch.cat([smooth(*size, seed) for seed in (1, 2)])
    style = torch.cat([smooth(45, 36, seed) for seed in (3, 4)])
    together = method(content, style)
    assert together.shape == (2, 3, *size)
    for index in range(2):
        alone = method(content[index : index + 1], style[index : index + 1])
        # L-BFGS divides by differences of gradients, which magnifies rounding.
        torch.testing.assert_close(together[index : index + 1], alone, rtol=0, atol=0.02)


@torch.no_grad()
def test_mixed_styles_have_the_mean_gram_matrix(
    method: Gatys, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets: list[Tensor] = []
    monkeypatch.setattr(
        Gatys, "optimize", lambda self, content, _, grams: targets.extend(grams) or content
    )
    styles = [method.encode_style(smooth(32, 32, seed)) for seed in (1, 2)]
    content = method.encode_content(smooth(32, 32, seed=3))
    method.generate_mixed(content, styles, [0.75, 0.25], (32, 32), alpha=0.5)
    for target, own, first, second in zip(targets, content[2:], *styles, strict=True):
        torch.testing.assert_close(target, 0.5 * own + 0.5 * (0.75 * first + 0.25 * second))


@torch.no_grad()
def test_alpha_0_is_the_content(method: Gatys) -> None:
    content = smooth(37, 52, seed=1)
    torch.testing.assert_close(method(content, smooth(40, 40, seed=2), 0.0), content)


def test_steps_must_be_positive(encoder: VggEncoder) -> None:
    with pytest.raises(ValueError, match="steps is 0"):
        Gatys(encoder, steps=0)
