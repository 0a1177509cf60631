from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datnet.networks.sanet import SANet
from datnet.networks.vgg import VggEncoder
from datnet.objectives.identity import stylize_and_compare

BOTH = ("identity_pixels", "identity_features")


@pytest.fixture
def network(encoder: VggEncoder) -> SANet:
    torch.manual_seed(1)
    return SANet(encoder)


def images(seed: int, height: int = 32) -> Tensor:
    return torch.rand(1, 3, height, 32, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_an_image_as_its_own_style(network: SANet) -> None:
    """All three results are then equal, so the losses are multiples of each other."""
    content = images(0)
    painting = stylize_and_compare(network, content, content, BOTH)
    pixels = (painting.output - content).square().mean()
    torch.testing.assert_close(painting.terms["identity_pixels"], 2 * pixels)
    features, expected = network.encoder(painting.output), network.encoder(content)
    distance = sum((a - b).square().mean() for a, b in zip(features, expected, strict=True))
    torch.testing.assert_close(painting.terms["identity_features"], 2 * distance)


@torch.no_grad()
def test_identity_is_of_content_and_of_style(network: SANet) -> None:
    """Also when they differ in size; the order of the two does not matter."""
    content, style = images(0), images(1, height=40)
    one = stylize_and_compare(network, content, style, BOTH).terms
    other = stylize_and_compare(network, style, content, BOTH).terms
    for name in BOTH:
        torch.testing.assert_close(one[name], other[name])
    for name in ("content", "global_style"):
        assert not torch.allclose(one[name], other[name])


@torch.no_grad()
def test_unwanted_identity_is_not_painted(network: SANet, monkeypatch: pytest.MonkeyPatch) -> None:
    paintings = []
    generate = network.generate

    def watch(*arguments: object) -> Tensor:
        paintings.append(arguments)
        return generate(*arguments)

    monkeypatch.setattr(network, "generate", watch)
    content, style = images(0), images(1)
    assert stylize_and_compare(network, content, style, ["content"]).terms.keys() == {
        "content",
        "global_style",
    }
    assert len(paintings) == 1
    stylize_and_compare(network, content, style, ["identity_features"])
    assert len(paintings) == 1 + 3
