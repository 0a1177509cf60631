from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datnet.networks.datnet import DatNet
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.datnet import DatNetObjective


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    content, style = torch.rand(2, 1, 3, 64, 64, generator=generator)
    return content, style


def paint(network: DatNet, content: Tensor, style: Tensor) -> Tensor:
    """As in training, where results may leave [0, 1]."""
    inputs = (
        network.transfer_inputs(network.encode(image), image.shape[2:])
        for image in (content, style)
    )
    return network.generate(*inputs, content.shape[2:])


def test_levels_of_the_losses_are_those_that_are_asked_for(
    encoder: VggEncoder, images: tuple[Tensor, Tensor]
) -> None:
    network = DatNet(encoder)
    with torch.no_grad():
        content, style = (network.encode(image) for image in images)
        output = network.encode(paint(network, *images))
        for style_levels, feature_levels in (((2, 3, 4, 5), (3, 4, 5)), ((1, 5), (2, 4))):
            objective = DatNetObjective(
                content_restoration=0,
                global_style_levels=style_levels,
                local_feature_levels=feature_levels,
            )
            losses = objective.terms(network, *images)
            assert list(losses) == ["local_feature", "global_style"]
            for loss, expected in (
                (losses["global_style"], terms.global_style(output, style, style_levels)),
                (
                    losses["local_feature"],
                    terms.local_feature(output, content, style, feature_levels),
                ),
            ):
                torch.testing.assert_close(loss, expected, rtol=1e-4, atol=0)


def test_the_target_shrinks_features_like_the_network(
    encoder: VggEncoder, images: tuple[Tensor, Tensor]
) -> None:
    """Otherwise the network would have to compute features that it lacks."""
    network = DatNet(encoder, resize="nearest")
    with torch.no_grad():
        content, style = (network.encode(image) for image in images)
        output = network.encode(paint(network, *images))
        loss = DatNetObjective().terms(network, *images)["local_feature"]
        nearest = terms.local_feature(output, content, style, resize="nearest")
        bilinear = terms.local_feature(output, content, style, resize="bilinear")
    torch.testing.assert_close(loss, nearest, rtol=1e-4, atol=0)
    assert not torch.isclose(loss, bilinear, rtol=1e-4)
