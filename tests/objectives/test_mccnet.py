from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datnet.networks.mccnet import MCCNet
from datnet.networks.vgg import VggEncoder
from datnet.objectives import mccnet
from datnet.objectives.mccnet import MCCNetObjective, total_variation


@pytest.fixture
def network(encoder: VggEncoder) -> MCCNet:
    torch.manual_seed(1)
    return MCCNet(encoder).train()


def images(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_total_variation_of_an_edge() -> None:
    """A step of 2 down 6 rows and 3 channels, whatever the batch."""
    edge = torch.zeros(1, 3, 6, 8)
    edge[..., 4:] = 2
    assert total_variation(edge).item() == 2 * 6 * 3
    assert total_variation(edge.mT).item() == 2 * 6 * 3
    assert total_variation(edge.repeat(4, 1, 1, 1)).item() == 2 * 6 * 3


def test_total_variation_sums_in_full_precision() -> None:
    stripes = torch.zeros(1, 3, 31, 64, dtype=torch.bfloat16)
    stripes[..., ::2] = 1
    assert total_variation(stripes).item() == 3 * 31 * 63  # 5859; bfloat16 would say 5856


@torch.no_grad()
def test_noise_is_drawn_again_between_its_bounds(
    network: MCCNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not clipped: white content gets brighter than white."""
    seen = []
    encode = network.encode_content
    monkeypatch.setattr(network, "encode_content", lambda x: seen.append(x) or encode(x))
    objective = MCCNetObjective(identity_pixels=0, identity_features=0)
    white = torch.ones(2, 3, 32, 32)
    for seed in (0, 1, 1):
        torch.manual_seed(seed)
        objective.terms(network, white, images(2))
    noise = [noisy - white for noisy in seen]
    for n in noise:
        assert 0.0097 < n.std() < 0.0206
        assert n.mean().abs() < 1e-3
    assert not torch.equal(noise[0], noise[1])
    assert torch.equal(noise[1], noise[2])


@torch.no_grad()
def test_without_noise_illumination_is_zero(
    network: MCCNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, style = images(2), images(2, seed=1)
    objective = MCCNetObjective(identity_pixels=0, identity_features=0)
    assert objective.terms(network, content, style)["illumination"] > 1e-12
    monkeypatch.setattr(mccnet, "NOISE_STD", (0.0, 0.0))
    terms = objective.terms(network, content, style)
    assert terms["illumination"] < 1e-12


def test_both_paintings_of_the_illumination_loss_learn(
    network: MCCNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = []
    generate = network.generate

    def keep(*arguments: object) -> Tensor:
        outputs.append(generate(*arguments))
        return outputs[-1]

    monkeypatch.setattr(network, "generate", keep)
    objective = MCCNetObjective(identity_pixels=0, identity_features=0)
    terms = objective.terms(network, images(2), images(2, seed=1))
    assert len(outputs) == 2
    gradients = torch.autograd.grad(terms["illumination"], outputs)
    torch.testing.assert_close(gradients[0], -gradients[1])
    assert gradients[0].abs().max() > 0


def test_terms_of_weight_zero_are_left_out(
    network: MCCNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(images: Tensor) -> list[Tensor]:
        raise AssertionError("noise was painted")

    monkeypatch.setattr(network, "encode_content", refuse)
    objective = MCCNetObjective(illumination=0, total_variation=0, identity_pixels=0)
    terms = objective.terms(network, images(1), images(1, seed=1))
    assert terms.keys() == {"content", "global_style", "identity_features"}
