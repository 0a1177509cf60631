"""Winograd convolutions: the same results and gradients, also when weights change."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.ops import winograd
from datnet.networks.ops.convolution import Convolution, pad_border
from tests.helpers.determinism import same_with_deterministic_algorithms


def relative_difference(ours: Tensor, exact: Tensor) -> float:
    return ((ours - exact).abs().max() / exact.abs().max()).item()


@pytest.mark.parametrize("at_once", [36 * 130 * 3, 2**22])
@pytest.mark.parametrize(
    ("shape", "out_channels"),
    [
        ((2, 128, 18, 34), 160),
        ((1, 130, 19, 32), 128),
        ((3, 128, 6, 7), 130),
        ((1, 128, 3, 3), 128),
    ],
)
def test_sums_and_gradients_are_those_of_the_convolution(
    shape: tuple[int, ...], out_channels: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any size, also in several pieces, against float64."""
    monkeypatch.setattr(winograd, "NUMBERS_AT_ONCE", at_once)
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(shape, generator=generator).requires_grad_()
    weight = torch.randn(out_channels, shape[1], 3, 3, generator=generator).requires_grad_()
    bias = torch.randn(out_channels, generator=generator).requires_grad_()
    ours = winograd.convolution(maps, weight, bias)
    gradient = torch.randn(ours.shape, generator=generator)
    of_ours = torch.autograd.grad(ours, (maps, weight, bias), gradient)

    exact_inputs = [each.detach().double().requires_grad_() for each in (maps, weight, bias)]
    exact = F.conv2d(*exact_inputs)
    of_exact = torch.autograd.grad(exact, exact_inputs, gradient.double())
    for mine, theirs in zip((ours, *of_ours), (exact, *of_exact), strict=True):
        assert mine.shape == theirs.shape
        assert relative_difference(mine.double(), theirs) < 2e-5


def layer(channels: int = 128, *, frozen: bool = False) -> Convolution:
    torch.manual_seed(0)
    return Convolution(channels, channels).requires_grad_(not frozen)


def by_pytorch(convolution: Convolution, maps: Tensor) -> Tensor:
    return nn.Conv2d.forward(convolution, maps)


MAPS = torch.rand(1, 128, 33, 34, generator=torch.Generator().manual_seed(1))


def test_a_layer_takes_it_where_it_pays() -> None:
    """Few channels, small maps and 16 bits are left to PyTorch, to the bit."""
    large = layer()
    ours, plain = large(MAPS), by_pytorch(large, MAPS)
    assert not torch.equal(ours, plain)
    assert relative_difference(ours, plain) < 2e-5
    with winograd.switched_off():
        assert torch.equal(large(MAPS), plain)

    small = MAPS[:, :, :16, :16]
    assert torch.equal(large(small), by_pytorch(large, small))
    few = layer(64)
    assert torch.equal(few(MAPS[:, :64]), by_pytorch(few, MAPS[:, :64]))
    double = layer().double()
    assert torch.equal(double(MAPS.double()), by_pytorch(double, MAPS.double()))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(large(MAPS), by_pytorch(large, MAPS))


def test_padding_stays_in_16_bits() -> None:
    """By itself autocast on a CPU pads in float32, between two casts of the map."""
    maps = MAPS.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        padded = pad_border(maps)
    assert padded.dtype == torch.bfloat16
    assert torch.equal(padded.float(), F.pad(maps.float(), (1, 1, 1, 1), mode="reflect"))


@pytest.mark.parametrize("width", [1, 4])
def test_padding_that_is_deterministic_on_gpus_is_the_same(width: int) -> None:
    maps = MAPS[:1, :8].clone().requires_grad_()
    same_with_deterministic_algorithms(partial(pad_border, width=width), maps)


def test_weights_of_inference_mode_may_change() -> None:
    with torch.inference_mode():
        convolution = layer(frozen=True)
    convolution(MAPS)
    with torch.inference_mode():
        convolution.weight.mul_(2)
    with torch.no_grad():
        assert relative_difference(convolution(MAPS), by_pytorch(convolution, MAPS)) < 2e-5


def test_the_next_layer_may_overwrite_its_output() -> None:
    """Layers are followed by a ReLU in place, here for sizes that are and are no multiples of 4."""
    for maps in (MAPS, MAPS[:, :, :32, :32]):
        convolution = layer()
        stylized = nn.Sequential(convolution, nn.ReLU(inplace=True))(maps)
        (ours,) = torch.autograd.grad(stylized.sum(), convolution.weight)
        (plain,) = torch.autograd.grad(
            by_pytorch(convolution, maps).relu().sum(), convolution.weight
        )
        assert relative_difference(ours, plain) < 1e-3  # a ReLU at 0 may fall either way


def test_a_frozen_layer_keeps_its_transformed_weight_until_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only training keeps it."""
    transform = winograd._transform
    transformed = []

    def counted(weight: Tensor) -> Tensor:
        transformed.append(weight)
        return transform(weight)

    monkeypatch.setattr(winograd, "_transform", counted)
    frozen = layer(frozen=True)
    with torch.inference_mode():
        first = frozen(MAPS)
        frozen(MAPS)
    assert len(transformed) == 2
    maps = MAPS.clone().requires_grad_()
    frozen(maps).sum().backward()
    frozen(maps).sum().backward()
    assert maps.grad is not None
    with torch.inference_mode():
        assert torch.equal(frozen(MAPS), first)
    assert len(transformed) == 3

    frozen.load_state_dict({name: 2 * value for name, value in frozen.state_dict().items()})
    assert relative_difference(frozen(MAPS), 2 * first) < 1e-6
    frozen.weight = nn.Parameter(torch.zeros_like(frozen.weight), requires_grad=False)
    frozen.bias.zero_()
    assert not frozen(MAPS).any()


def test_a_layer_that_learns_sees_its_weights_change() -> None:
    learning = layer()
    optimizer = torch.optim.SGD(learning.parameters(), lr=0.1)
    before = learning(MAPS)
    before.square().mean().backward()
    optimizer.step()
    after = learning(MAPS)
    assert relative_difference(after, by_pytorch(learning, MAPS)) < 2e-5
    assert relative_difference(after, before) > 1e-3
