from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from datnet.errors import DatNetError
from datnet.networks.manet import MANet
from datnet.networks.vgg import VggEncoder
from datnet.objectives.identity import ComparedResult, stylize_and_compare
from datnet.objectives.manet import MANetObjective, disentangled_content, disentangled_style

DISENTANGLED = ("disentangled_content", "disentangled_style")


@pytest.fixture
def network(encoder: VggEncoder) -> MANet:
    torch.manual_seed(1)
    return MANet(encoder).train()


def images(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 4, 4, generator=generator)
    return torch.nn.functional.interpolate(small, (32, 32), mode="bicubic").clamp(0, 1)


def paint(network: MANet, content: Tensor, style: Tensor) -> ComparedResult:
    return stylize_and_compare(network, content, style, ())


def lively_decoder(network: MANet) -> None:
    """A fresh decoder returns almost the same for every input; larger weights make a difference."""
    for parameter in network.decoder.parameters():
        parameter.data.mul_(3)


@torch.no_grad()
def test_same_styles_have_nothing_to_disentangle(network: MANet) -> None:
    lively_decoder(network)
    content, style = images(2), images(2, seed=1)
    same = style[:1].repeat(2, 1, 1, 1)
    assert disentangled_content(network, paint(network, content, style)) > 1e-3
    assert disentangled_content(network, paint(network, content, same)) < 1e-6


@torch.no_grad()
def test_same_contents_have_nothing_to_disentangle(network: MANet) -> None:
    lively_decoder(network)
    content, style = images(2), images(2, seed=1)
    same = content[:1].repeat(2, 1, 1, 1)
    assert disentangled_style(network, paint(network, content, style)) > 1e-3
    assert disentangled_style(network, paint(network, same, style)) < 1e-6


@torch.no_grad()
def test_one_content_and_one_style_go_through_the_batch(network: MANet) -> None:
    """Other contents do not touch the content distance, other styles not the style distance."""
    lively_decoder(network)
    content, style, other = images(2), images(2, seed=1), images(2, seed=2)
    painting = paint(network, content, style)
    other_content = paint(network, torch.cat([content[:1], other[1:]]), style)
    other_style = paint(network, content, torch.cat([style[:1], other[1:]]))
    torch.testing.assert_close(
        disentangled_content(network, other_content), disentangled_content(network, painting)
    )
    torch.testing.assert_close(
        disentangled_style(network, other_style), disentangled_style(network, painting)
    )


@pytest.mark.parametrize("distance", [disentangled_content, disentangled_style])
def test_both_sides_of_a_pair_learn(distance, encoder: VggEncoder) -> None:
    """Images 0 and 2, neighbors round the corner, are equal: each learns from image 1 alone.

    If gradients stopped at one side of the pairs, one of the two would get none.
    """
    first, second = images(2)
    outputs = torch.stack([first, second, first]).requires_grad_()
    network = SimpleNamespace(encoder=encoder, generate=lambda *_: outputs)
    features = encoder(outputs.detach())
    distance(network, ComparedResult(outputs.detach(), features, features, {})).backward()
    assert all(outputs.grad.abs().amax(dim=(1, 2, 3)) > 0)


def test_gate_opens_when_content_and_style_are_learnt(network: MANet) -> None:
    lively_decoder(network)
    content, style = images(2), images(2, seed=1)
    with torch.no_grad():
        losses = paint(network, content, style).terms
    size = losses["content"].item() + 5 * losses["global_style"].item()
    closed, opened = (
        MANetObjective(
            content=limit / size,
            global_style=5 * limit / size,
            identity_pixels=0,
            identity_features=0,
        )
        for limit in (10.01, 9.99)
    )
    terms = closed.terms(network, content, style)
    assert all(terms[name] == 0 for name in DISENTANGLED)
    closed.total(terms).backward()
    with torch.no_grad():
        terms = opened.terms(network, content, style)
    assert all(terms[name] > 0 for name in DISENTANGLED)


@torch.no_grad()
def test_closed_gate_paints_nothing(network: MANet, monkeypatch: pytest.MonkeyPatch) -> None:
    paintings = []
    generate = network.generate

    def watch(*arguments: object) -> Tensor:
        paintings.append(arguments)
        return generate(*arguments)

    monkeypatch.setattr(network, "generate", watch)
    MANetObjective(global_style=1e6).terms(network, images(2), images(2, seed=1))
    assert len(paintings) == 3


def test_single_pairs_validate_but_do_not_train(network: MANet) -> None:
    content, style = images(1), images(1, seed=1)
    with pytest.raises(DatNetError, match=r"data\.batch_size is 1"):
        MANetObjective().terms(network, content, style)
    without = MANetObjective(disentangled_content=0, disentangled_style=0)
    assert not without.terms(network, content, style).keys() & set(DISENTANGLED)
    terms = MANetObjective().terms(network.eval(), content, style)
    assert all(terms[name] == 0 for name in DISENTANGLED)
    assert MANetObjective().total(terms).isfinite()
