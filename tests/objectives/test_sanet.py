from __future__ import annotations

import torch

from datnet.networks.sanet import SANet
from datnet.networks.vgg import VggEncoder
from datnet.objectives.sanet import SANetObjective
from tests.helpers import naive
from tests.helpers.methods import images


@torch.no_grad()
def test_terms_against_their_formulas(encoder: VggEncoder) -> None:
    """SANet's eqs. (7)-(11), each term by itself."""
    torch.manual_seed(1)
    network = SANet(encoder)
    content, style = images(1, 48, 32), images(1, 32, 48, seed=1)

    def paint(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return network.generate(encoder(one), encoder(other), one.shape[2:])

    features = {
        "content": naive.maps(encoder(content)),
        "style": naive.maps(encoder(style)),
        "output": naive.maps(encoder(paint(content, style))),
        "same content": naive.maps(encoder(paint(content, content))),
        "same style": naive.maps(encoder(paint(style, style))),
    }
    pixels = [
        naive.squared_error(paint(image, image).double().numpy(), image.double().numpy())
        for image in (content, style)
    ]
    expected = {
        "content": naive.normalized_content(features["output"], features["content"], (4, 5)),
        "global_style": naive.global_style(features["output"], features["style"], (1, 2, 3, 4, 5)),
        "identity_pixels": sum(pixels),
        "identity_features": sum(
            naive.difference(features[f"same {kind}"], features[kind])
            for kind in ("content", "style")
        ),
    }
    losses = SANetObjective().terms(network, content, style)
    assert list(losses) == list(expected)
    for name, loss in losses.items():
        torch.testing.assert_close(loss, torch.tensor(expected[name]).float(), rtol=1e-3, atol=0)


def test_weights_are_those_of_the_published_code() -> None:
    """Its identity weights, which the paper's text swaps."""
    assert SANetObjective().weights == {
        "content": 1.0,
        "global_style": 3.0,
        "identity_pixels": 50.0,
        "identity_features": 1.0,
    }
