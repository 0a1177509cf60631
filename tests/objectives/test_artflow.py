from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.artflow import ArtFlow, ArtFlowAdaIN, ArtFlowWCT
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.artflow import ArtFlowObjective


@pytest.fixture(params=[ArtFlowAdaIN, ArtFlowWCT])
def network(request: pytest.FixtureRequest) -> ArtFlow:
    torch.manual_seed(0)
    return request.param().train()


def images(seed: int) -> Tensor:
    return torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_terms(network: ArtFlow, encoder: VggEncoder) -> None:
    """Unnormalized relu4_1 of painting and content; statistics of four levels."""
    objective = ArtFlowObjective(encoder)
    assert objective.weights == {"content": 0.1, "global_style": 1.0}
    content, style = images(0), images(1).square()
    result = objective.terms(network, content, style)
    stylized = network.generate(network.encode(content), network.encode(style), (32, 32))
    output, wanted, statistics = (encoder(batch) for batch in (stylized, content, style))
    expected = {
        "content": F.mse_loss(output[3], wanted[3]),
        "global_style": terms.global_style(output, statistics, (1, 2, 3, 4)),
    }
    assert result.keys() == expected.keys()
    for name, value in result.items():
        assert value > 1e-3
        torch.testing.assert_close(value, expected[name])


@torch.no_grad()
def test_content_as_its_own_style_costs_nothing(network: ArtFlow, encoder: VggEncoder) -> None:
    result = ArtFlowObjective(encoder).terms(network, images(0), images(0))
    assert result["content"] < 1e-6
    assert result["global_style"] < 1e-6


@torch.no_grad()
def test_the_first_content_batch_initialises_the_network(encoder: VggEncoder) -> None:
    network, content = ArtFlowAdaIN().train(), images(0)
    ArtFlowObjective(encoder).terms(network, content, images(1).square())
    means = F.pixel_unshuffle(content, 2).mean((0, 2, 3))
    torch.testing.assert_close(network.flow.blocks[0].steps[0].norm.loc.flatten(), -means)


def test_a_term_without_weight_is_left_out(encoder: VggEncoder) -> None:
    objective = ArtFlowObjective(encoder, content=0)
    assert objective.terms(ArtFlowAdaIN(), images(0), images(1)).keys() == {"global_style"}


@pytest.mark.slow
def test_training_lowers_the_loss(network: ArtFlow, encoder: VggEncoder) -> None:
    objective = ArtFlowObjective(encoder)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    losses = []
    for _ in range(6):
        loss = objective.total(objective.terms(network, images(0), images(1).square()))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]
