"""With circular borders, a rolled content gives the rolled result: there is no seam."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.nn import functional

from datnet.networks.gatys import Gatys
from datnet.networks.ops import strips
from datnet.networks.ops.convolution import BilinearUpsample, Convolution, circular_borders
from datnet.networks.vgg import VggEncoder
from datnet.networks.wct import WCT
from tests.helpers.methods import METHODS, images, make

SIZE = (64, 48)
ROLL = {"shifts": (16, 32), "dims": (2, 3)}
SEAMLESS = [name for name, (network, _) in METHODS.items() if network.seam is None]


def content_and_rolled_result(network: torch.nn.Module, alpha: float) -> tuple:
    content, style = images(1, *SIZE), images(1, 48, 64, seed=1)
    with torch.no_grad():
        features = network.encode_style(style)
        results = [
            network.generate(network.encode_content(each), features, SIZE, alpha)
            for each in (content, content.roll(**ROLL))
        ]
    return results[0].roll(**ROLL), results[1]


@pytest.mark.parametrize("alpha", [1.0, 0.5])
@pytest.mark.parametrize("method", SEAMLESS)
def test_results_roll_with_the_content(method: str, alpha: float, encoder: VggEncoder) -> None:
    network = make(method, encoder)[0].eval()
    with circular_borders():
        rolled, result = content_and_rolled_result(network, alpha)
    difference = (result - rolled).abs().max()
    rolled, result = content_and_rolled_result(network, alpha)
    with_reflection = (result - rolled).abs().max()
    assert difference < 0.02 * with_reflection


def test_methods_without_training_roll_too(encoder: VggEncoder) -> None:
    with circular_borders():
        rolled, result = content_and_rolled_result(WCT(encoder), 1.0)
        torch.testing.assert_close(result, rolled, rtol=1e-2, atol=1e-3)
        rolled, result = content_and_rolled_result(Gatys(encoder, steps=2), 1.0)
        torch.testing.assert_close(result, rolled, rtol=1e-2, atol=1e-2)


def test_strips_wrap_around(monkeypatch: pytest.MonkeyPatch, encoder: VggEncoder) -> None:
    content = torch.rand(1, 3, 64, 32)
    with torch.no_grad(), circular_borders():
        whole = encoder(content)
        monkeypatch.setattr(strips, "LARGEST_UNCUT", 1)
        for expected, got in zip(whole, encoder(content), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_padding_takes_the_opposite_edge() -> None:
    maps = torch.rand(1, 2, 5, 4)
    layer = Convolution(2, 3)
    padded = torch.cat([maps[:, :, -1:], maps, maps[:, :, :1]], dim=2)
    padded = torch.cat([padded[..., -1:], padded, padded[..., :1]], dim=3)
    with circular_borders():
        torch.testing.assert_close(layer(maps), functional.conv2d(padded, layer.weight, layer.bias))
    reflected = functional.pad(maps, (1, 1, 1, 1), mode="reflect")
    expected = functional.conv2d(reflected, layer.weight, layer.bias)
    torch.testing.assert_close(layer(maps), expected)
    with circular_borders(False):
        torch.testing.assert_close(layer(maps), expected)


def test_bilinear_upsampling_looks_across_the_border() -> None:
    maps = torch.rand(1, 1, 4, 4)
    roll = partial(torch.roll, dims=(2, 3))
    enlarge = BilinearUpsample()
    with circular_borders():
        torch.testing.assert_close(enlarge(roll(maps, (1, 2))), roll(enlarge(maps), (2, 4)))
    torch.testing.assert_close(
        enlarge(maps), functional.interpolate(maps, scale_factor=2, mode="bilinear")
    )
