"""The weights that are shown are those that the network uses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from datnet.networks import attention, sanet, stytr2
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.ops.attention_map import attention_weights
from datnet.networks.vgg import VggEncoder
from tests.helpers.methods import images, make

LEVELS = {
    "datnet": [3, 4, 5],
    "sanet": [4, 5],
    "manet": [4],
}


def shown(network: StyleTransferNetwork, content: Tensor, style: Tensor) -> list:
    return list(
        network.attention_levels(
            network.encode_content(content), network.encode_style(style), style.shape[2:]
        )
    )


@torch.no_grad()
@pytest.mark.parametrize("method", LEVELS)
def test_the_queries_and_keys_of_each_level_are_those_that_attention_gets(
    method: str, encoder: VggEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make(method, encoder)[0].eval()
    content, style = images(1, 40, 57), images(1, 33, 80, seed=1)
    levels = shown(network, content, style)
    assert [level.name for level in levels] == [f"relu{level}_1" for level in LEVELS[method]]
    for level in levels:
        assert level.queries.shape[2:] == tuple(-(-side // level.stride) for side in (40, 57))
        assert level.keys.shape[2:] == tuple(-(-side // level.stride) for side in (33, 80))

    used: list[tuple[Tensor, Tensor]] = []
    module = attention if method == "datnet" else sanet
    attention_mean: Callable[..., Tensor] = module.attention_mean

    def spy(query: Tensor, key: Tensor, value: Tensor, *rest: object) -> Tensor:
        used.append((query, key))
        return attention_mean(query, key, value, *rest)

    monkeypatch.setattr(module, "attention_mean", spy)
    network(content, style)
    from_content_to_style = [
        each for each in used if each[1].shape[2] in {level.keys[0, 0].numel() for level in levels}
    ]
    for level, (query, key) in zip(levels, from_content_to_style[-len(levels) :], strict=True):
        torch.testing.assert_close(level.queries.flatten(2), query)
        torch.testing.assert_close(level.keys.flatten(2), key)


@torch.no_grad()
def test_stytr2s_weights_give_the_means_of_its_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = stytr2.StyTr2().eval()
    content, style = images(1, 40, 57), images(1, 33, 80, seed=1)
    levels = shown(network, content, style)
    assert [level.name for level in levels] == [
        f"layer {layer}.{turn}" for layer in (1, 2, 3) for turn in (1, 2)
    ]
    crossed: list[tuple[Tensor, Tensor]] = []
    attend = torch.nn.functional.scaled_dot_product_attention

    def spy(query: Tensor, key: Tensor, value: Tensor, **rest: float) -> Tensor:
        if query.shape[2] != key.shape[2]:
            crossed.append((query, key))
        return attend(query, key, value, **rest)

    monkeypatch.setattr(stytr2.F, "scaled_dot_product_attention", spy)
    network(content, style)
    assert len(crossed) == len(levels)
    for level, (query, key) in zip(levels, crossed, strict=True):
        assert (level.queries.shape[2:], level.keys.shape[2:]) == ((5, 8), (5, 10))
        expected = (query[0] @ key[0].mT / 8).softmax(dim=-1).mean(dim=0)
        found = attention_weights(level.queries.flatten(2), level.keys).flatten(1)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("method", ["adain", "mccnet", "microast"])
def test_networks_without_attention_show_none(method: str, encoder: VggEncoder) -> None:
    network = make(method, encoder)[0].eval()
    assert shown(network, images(1, 32, 32), images(1, 32, 32)) == []
