"""Mixtures of styles, for every network for any painting."""

from __future__ import annotations

import pytest
import torch

from datnet.networks.base import StyleTransferNetwork
from datnet.networks.vgg import VggEncoder
from tests.helpers.methods import ARBITRARY, images, make

SIZE = (32, 36)
ALPHA = 0.6


@pytest.fixture(params=ARBITRARY)
def network(request: pytest.FixtureRequest, encoder: VggEncoder) -> StyleTransferNetwork:
    return make(request.param, encoder)[0].eval()


@torch.no_grad()
def test_a_mixture(network: StyleTransferNetwork) -> None:
    content = network.encode_content(images(1, *SIZE))
    first = network.encode_style(images(1, 32, 40, seed=1))
    second = network.encode_style(images(1, 44, 32, seed=2))  # of another size

    def paint(styles: list, weights: list[float]) -> torch.Tensor:
        return network.generate_mixed(content, styles, weights, SIZE, ALPHA)

    one, other = (network.generate(content, style, SIZE, ALPHA) for style in (first, second))
    assert torch.equal(paint([first], [1.0]), one)
    torch.testing.assert_close(paint([first, first], [0.7, 0.3]), one, rtol=1e-4, atol=1e-4)

    mixed = paint([first, second], [0.25, 0.75])
    distance_to_one, distance_to_other = ((mixed - each).norm() for each in (one, other))
    between = (one - other).norm()
    assert 0 < distance_to_other < distance_to_one < between
