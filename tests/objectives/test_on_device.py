"""Training steps and stylizations on a GPU that is not there: fake tensors have no values.

An operation that reads a value back to the host (``.item()``, a branch on data), or that mixes
devices, fails. The backward pass is left out: autograd needs a real device for it. Networks for
certain paintings are left out, too: they read which painting they see.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from datnet.networks.attention import attention_way
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.flow import ActNorm
from datnet.networks.vgg import VggEncoder
from datnet.objectives.base import Objective
from tests.helpers.methods import ARBITRARY, make

PRECISIONS = (torch.float32, torch.bfloat16, torch.float16)


@pytest.fixture(params=PRECISIONS, ids=str)
def autocast(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.autocast:
    """Autocast for CUDA, which torch switches off where there is none."""
    monkeypatch.setattr("torch.cuda.amp.common.amp_definitely_not_available", lambda: False)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda *_, **__: True)
    return torch.autocast("cuda", dtype=request.param, enabled=request.param != torch.float32)


@pytest.fixture(autouse=True, scope="module")
def fake_gpu() -> Iterator[None]:
    with FakeTensorMode(allow_non_fake_inputs=False), torch.device("cuda"):
        yield


@cache
def encoder() -> VggEncoder:
    return VggEncoder("vgg16")


@cache
def on_gpu(method: str) -> tuple[StyleTransferNetwork, Objective]:  # type: ignore[type-arg]
    network, objective = make(method, encoder())
    for layer in network.modules():
        if isinstance(layer, ActNorm):  # in its first step it does read a value
            layer.initialize(torch.rand(1, layer.loc.shape[1], 4, 4))
    return network, objective


@pytest.mark.parametrize("method", ARBITRARY)
def test_a_training_step_stays_on_the_device(method: str, autocast: torch.autocast) -> None:
    network, objective = on_gpu(method)
    with autocast:
        terms = objective.terms(network.train(), torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64))
    assert {term.device.type for term in terms.values()} == {"cuda"}
    assert objective.total(terms).dtype == torch.float32


@torch.no_grad()
@pytest.mark.parametrize("method", ARBITRARY)
def test_stylizing_stays_on_the_device(
    method: str, autocast: torch.autocast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datnet.networks.attention.FAST_COMPARISONS", 0)
    network, _ = on_gpu(method)
    with autocast, attention_way("fast"):
        result = network.eval()(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64), alpha=0.5)
    assert result.device.type == "cuda"
    assert result.dtype == torch.float32


def test_a_value_read_back_is_noticed() -> None:
    with pytest.raises(Exception, match=r"_local_scalar_dense"):
        torch.rand(1).item()
