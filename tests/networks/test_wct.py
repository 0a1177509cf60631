from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.linear_decoder import LeastSquares, LinearDecoder
from datnet.networks.ops.whitening import symmetric_moments, whiten_and_color, whiten_to
from datnet.networks.vgg import VggEncoder
from datnet.networks.wct import WCT


def smooth(height: int, width: int, seed: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, channels, 6, 6, generator=generator)
    return F.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def network(random_encoder: VggEncoder) -> WCT:
    """Two levels, fitted to six pictures."""
    network = WCT(copy.deepcopy(random_encoder), deepest=2).eval()
    network.prepare([smooth(64, 72, seed) for seed in range(6)])
    return network


@pytest.fixture(scope="module")
def full_strength(network: WCT, random_encoder: VggEncoder) -> WCT:
    """The same with nothing of the content's own features at alpha 1."""
    stronger = WCT(copy.deepcopy(random_encoder), strength=1.0, deepest=2).eval()
    stronger.decoders.load_state_dict(network.decoders.state_dict())
    return stronger


@pytest.mark.parametrize("enlarge", [False, True])
def test_least_squares_find_the_map_that_made_the_data(enlarge: bool) -> None:
    torch.manual_seed(0)
    truth, found = (LinearDecoder(4, 3, enlarge=enlarge) for _ in range(2))
    sums = LeastSquares(found)
    with torch.no_grad():
        for _ in range(3):
            features = torch.rand(1, 4, 14, 20)
            sums.add(features, truth(features), torch.randperm(14 * 20)[:150])
        sums.solve()
        features = torch.rand(1, 4, 9, 11)
        torch.testing.assert_close(found(features), truth(features), rtol=0, atol=0.02)
    assert found(features).shape == (1, 3, *((18, 22) if enlarge else (9, 11)))


def test_least_squares_take_the_positions_that_are_named() -> None:
    """The map differs between left and right: only the visible part is learned."""
    decoder = LinearDecoder(1, 1, enlarge=False)
    features = torch.rand(1, 1, 8, 12)
    target = features.clone()
    target[..., 6:] = 1 - features[..., 6:]
    positions = torch.arange(8 * 12).view(8, 12)
    sums = LeastSquares(decoder)
    sums.add(features, target, positions[:, 6:].flatten())
    sums.solve()
    error = (decoder(features) - target).abs()
    assert error[..., 6:].max() < 0.02
    assert error[..., :6].mean() > 0.2


def test_fitted_decoders_undo_the_encoder_better_than_a_flat_picture(network: WCT) -> None:
    picture = smooth(64, 64, seed=99)
    maps = network.encoder(picture, 2)
    flat = (picture - picture.mean((2, 3), keepdim=True)).square().mean()
    errors = [
        (network.decode(maps[level - 1], level, (64, 64)) - picture).square().mean()
        for level in (1, 2)
    ]
    assert errors[0] < 0.02 * flat
    assert errors[1] < 0.5 * flat


@torch.no_grad()
def test_results_come_closer_to_the_styles_covariance(full_strength: WCT) -> None:
    content, style = smooth(64, 80, seed=7), smooth(72, 64, seed=8) ** 3
    result = full_strength(content, style)
    target, before, after = (
        full_strength.encoder(image, 1)[0].flatten(2)[0].cov() for image in (style, content, result)
    )
    assert (after - target).norm() < 0.5 * (before - target).norm()


@torch.no_grad()
def test_alpha_0_is_the_content_and_strength_its_other_end(
    network: WCT, full_strength: WCT
) -> None:
    content, style = smooth(50, 67, seed=1), smooth(64, 40, seed=2)
    assert torch.equal(network(content, style, 0.0), content)
    torch.testing.assert_close(network(content, style), full_strength(content, style, 0.6))


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (33, 47), (34, 65)])
def test_any_size_and_each_picture_of_a_batch_by_itself(
    network: WCT, size: tuple[int, int]
) -> None:
    content = torch.cat([smooth(*size, seed) for seed in (1, 2)])
    style = torch.cat([smooth(45, 36, seed) for seed in (3, 4)])
    together = network(content, style)
    assert together.shape == (2, 3, *size)
    for index in range(2):
        alone = network(content[index : index + 1], style[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_moments_of_styles_mix(network: WCT) -> None:
    content, style = smooth(48, 48, seed=1), smooth(48, 48, seed=2)
    content_features, features = network.encode_content(content), network.encode_style(style)
    alone = network.generate(content_features, features, (48, 48))
    twice = network.generate_mixed(content_features, [features] * 2, [0.25, 0.75], (48, 48))
    torch.testing.assert_close(alone, twice)


def test_whitening_in_two_halves_is_whitening() -> None:
    content, style = smooth(20, 20, 1, channels=5), smooth(24, 16, 2, channels=5)
    moments = symmetric_moments(style)
    torch.testing.assert_close(whiten_to(content, *moments), whiten_and_color(content, style))
    torch.testing.assert_close(moments[1] @ moments[1], style.flatten(2)[0].double().cov()[None])


@pytest.mark.parametrize("settings", [{"strength": 0.0}, {"strength": 1.1}, {"deepest": 6}])
def test_settings_out_of_range(encoder: VggEncoder, settings: dict) -> None:
    with pytest.raises(ValueError, match="must be"):
        WCT(encoder, **settings)


def test_nothing_is_trained(network: WCT) -> None:
    assert not any(parameter.requires_grad for parameter in network.parameters())
