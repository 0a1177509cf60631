from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from datnet.networks.adain import AdaIN
from datnet.networks.artflow import ArtFlowAdaIN
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.cap_vstnet import CAPVSTNetArtistic
from datnet.networks.datnet import DatNet
from datnet.networks.manet import MANet
from datnet.networks.mccnet import MCCNet
from datnet.networks.microast import MicroAST
from datnet.networks.sanet import SANet
from datnet.networks.stytr2 import StyTr2
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.reconstruction import ReconstructionObjective

WITH_ENCODER = [AdaIN, DatNet, MANet, MCCNet, SANet]
WITHOUT_ENCODER = [ArtFlowAdaIN, CAPVSTNetArtistic, MicroAST, StyTr2]


@pytest.fixture
def photographs() -> Tensor:
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("make", [*WITH_ENCODER, *WITHOUT_ENCODER], ids=lambda make: make.__name__)
def test_every_network_is_compared_with_its_content(
    encoder: VggEncoder, photographs: Tensor, make: Callable[..., StyleTransferNetwork]
) -> None:
    """The terms are those of the network's own result for the content as its style."""
    torch.manual_seed(1)
    network = (make(encoder) if make in WITH_ENCODER else make()).eval()
    objective = ReconstructionObjective(encoder, feature_levels=(2, 5))
    with torch.no_grad():
        output = network.generate(
            network.encode_content(photographs),
            network.encode_style(photographs),
            photographs.shape[2:],
        )
        expected = {
            "pixels": terms.squared_error(output, photographs),
            "features": terms.content_restoration(encoder(output), encoder(photographs), (2, 5)),
        }
    losses = objective.terms(network, photographs, torch.zeros_like(photographs))
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name], rtol=1e-4, atol=1e-6)
    objective.total(losses).backward()
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in trained)


def test_photographs_are_encoded_once_and_no_deeper_than_needed(
    encoder: VggEncoder, photographs: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for the network and its target, and once the result."""
    depths = []
    levels = VggEncoder.levels

    def count(self: VggEncoder, images: Tensor, depth: int = 5):
        depths.append(depth)
        return levels(self, images, depth)

    monkeypatch.setattr(VggEncoder, "levels", count)
    ReconstructionObjective(encoder, feature_levels=(1, 3)).terms(
        AdaIN(encoder), photographs, photographs
    )
    assert depths == [4, 3]
    depths.clear()
    losses = ReconstructionObjective(encoder, features=0).terms(
        AdaIN(encoder), photographs, photographs
    )
    assert (list(losses), depths) == (["pixels"], [4])


def test_levels_that_do_not_exist_are_refused(encoder: VggEncoder) -> None:
    for levels in ((), (0,), (3, 6)):
        with pytest.raises(ValueError, match="levels are 1 to 5"):
            ReconstructionObjective(encoder, feature_levels=levels)
