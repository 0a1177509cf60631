from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics import Lpips
from datnet.evaluation.metrics.features import maps
from datnet.evaluation.metrics.lpips import PerceptualDistance
from datnet.networks.vgg import VggEncoder
from datnet.zoo import vgg_encoder


@pytest.fixture(scope="module")
def perceptual(encoder_file: Path) -> PerceptualDistance:
    with pytest.warns(UserWarning, match="does not hold torchvision's"):
        return PerceptualDistance("vgg", encoder_file)


@pytest.fixture(scope="module")
def same(encoder_file: Path) -> VggEncoder:
    """An encoder with the weights of LPIPS and channels that are scaled by them."""
    with pytest.warns(UserWarning, match="does not hold torchvision's"):
        encoder = vgg_encoder("vgg16", encoder_file, normalized=False)
    generator = torch.Generator().manual_seed(0)
    encoder.rescale(
        [
            0.5 + torch.rand(layer.out_channels, generator=generator)
            for layer in encoder.convolutions()
        ]
    )
    return encoder


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 48), (144, 208)])
def test_one_pass_gives_the_features_of_both(
    perceptual: PerceptualDistance, same: VggEncoder, size: tuple[int, int]
) -> None:
    images = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    runs: list[None] = []
    hook = perceptual.metric.net.register_forward_hook(lambda *_: runs.append(None))
    of_encoder, features = perceptual.features_with(same, images)
    hook.remove()
    assert not runs
    for ours, expected in zip(of_encoder, same(images), strict=True):
        assert torch.equal(ours, expected)
    for ours, expected in zip(features, perceptual.features(images), strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-4 * expected.max().item())


@torch.no_grad()
def test_other_weights_and_odd_sizes_take_two_passes(
    perceptual: PerceptualDistance, same: VggEncoder
) -> None:
    images = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    other = VggEncoder("vgg16")
    for encoder, pictures in ((other, images), (same, images[..., :40])):
        of_encoder, features = perceptual.features_with(encoder, pictures)
        for ours, expected in zip(of_encoder, encoder(pictures), strict=True):
            assert torch.equal(ours, expected)
        for ours, expected in zip(features, perceptual.features(pictures), strict=True):
            assert torch.equal(ours, expected)


def test_the_maps_of_the_shared_pass_are_not_computed_again(
    perceptual: PerceptualDistance, same: VggEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics({"encoder": same, "lpips_vgg": perceptual})
    picture = metrics.picture(torch.rand(1, 3, 32, 32))
    with torch.no_grad():
        picture.once(Lpips("vgg").features)
    monkeypatch.setattr(same, "forward", None)
    assert len(picture.once(maps)) == 5
