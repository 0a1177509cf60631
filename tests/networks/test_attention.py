from __future__ import annotations

import math
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from datnet.errors import DatNetWarning
from datnet.networks import attention
from datnet.networks.attention import (
    AdaptiveAttentionNorm,
    EfficientChannelAttention,
    adaptive_attention_norm,
    attention_key,
    attention_mean,
    attention_moments,
    attention_way,
)
from datnet.networks.datnet import DatNet
from datnet.networks.ops import tiled_attention
from datnet.networks.ops.fast_attention import fast_attention_mean
from datnet.networks.vgg import CHANNELS, VggEncoder
from tests.helpers import naive


def inputs(dtype: torch.dtype = torch.float32, offset: float = 0.0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 12, 50), (2, 12, 70), (2, 5, 70))
    query, key, value = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
    return [tensor.to(dtype) for tensor in (0.5 * query, 0.5 * key, value + offset)]


def naive_moments(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The definition, position by position in float64."""
    query, key, value = query.double(), key.double(), value.double()
    mean, std = torch.empty(2, 5, 50).double(), torch.empty(2, 5, 50).double()
    for b in range(2):
        for i in range(50):
            weights = torch.softmax((query[b, :, i, None] * key[b]).sum(0), 0)
            mean[b, :, i] = (weights * value[b]).sum(1)
            deviation = value[b] - mean[b, :, i, None]
            std[b, :, i] = (weights * deviation.square()).sum(1).sqrt()
    return mean, std


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_moments_against_their_definition(offset: float) -> None:
    """Values far from zero lose no digits: they are centered before they are squared."""
    tensors = inputs(offset=offset)
    expected_mean, expected_std = naive_moments(*tensors)
    mean, std = attention_moments(*tensors)
    torch.testing.assert_close(mean.double(), expected_mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(std.double(), expected_std, rtol=1e-5, atol=1e-5)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of 16 queries and 16 keys, which divide neither 50 nor 70."""
    monkeypatch.setattr(attention, "UNTILED_COMPARISONS", 0)
    monkeypatch.setattr(tiled_attention, "QUERIES_PER_TILE", 16)
    monkeypatch.setattr(tiled_attention, "CPU_WEIGHTS_PER_TILE", 2 * 16 * 16)


def moments_and_gradients(
    tensors: list[torch.Tensor],
) -> list[torch.Tensor]:
    leaves = [tensor.requires_grad_() for tensor in tensors]
    mean, std = attention_moments(*leaves)
    (mean.sin().sum() + std.square().sum()).backward()
    return [mean, std, *(leaf.grad for leaf in leaves)]  # type: ignore[list-item]


def test_tiles_give_the_moments_and_gradients_of_the_matrix(
    small_tiles: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiled = moments_and_gradients(inputs(torch.float64))
    monkeypatch.setattr(attention, "UNTILED_COMPARISONS", 50 * 70)
    for got, expected in zip(tiled, moments_and_gradients(inputs(torch.float64)), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-12)


def test_gradients_of_attention() -> None:
    leaves = [tensor.requires_grad_() for tensor in inputs(torch.float64)]
    assert torch.autograd.gradcheck(attention_mean, leaves)


def test_tiles_agree_with_float64(small_tiles: None) -> None:
    exact = moments_and_gradients(inputs(torch.float64))
    for got, expected in zip(moments_and_gradients(inputs()), exact, strict=True):
        assert (got - expected).norm() <= 1e-5 * expected.norm()


def test_tiles_under_autocast_agree_with_float64(small_tiles: None) -> None:
    exact = moments_and_gradients(inputs(torch.float64))
    with torch.autocast("cpu", torch.bfloat16):
        results = moments_and_gradients([t.bfloat16() for t in inputs()])
    for got, expected in zip(results, exact, strict=True):
        assert (got - expected).norm() <= 1e-2 * expected.norm()


@pytest.mark.parametrize("scale", [1e-3, 30.0])
def test_tiles_bear_flat_and_peaked_attention(small_tiles: None, scale: float) -> None:
    query, key, value = inputs(torch.float64)
    torch.testing.assert_close(
        attention_mean(scale * query, scale * key, value),
        value @ torch.softmax(scale * scale * query.mT @ key, dim=-1).mT,
    )


@pytest.mark.parametrize("untiled", [0, 50 * 70])
def test_no_weight_is_a_denormal_number(monkeypatch: pytest.MonkeyPatch, untiled: int) -> None:
    """Processors multiply with such numbers up to a hundred times more slowly."""
    monkeypatch.setattr(attention, "UNTILED_COMPARISONS", untiled)
    query = torch.ones(2, 1, 50)
    key = torch.linspace(-120, 0, 70).expand(2, 1, 70)  # weights from e^-120 to 1
    each = torch.eye(70).expand(2, 70, 70)
    weights = attention_mean(query, key, each)
    assert weights.min() > torch.finfo(torch.float32).tiny
    expected = torch.softmax(key.double(), -1).expand(2, 50, 70).mT
    assert (weights - expected).abs().max() < 1e-7


def test_all_pairs_are_never_there_at_once(
    small_tiles: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    product = tiled_attention._product

    def watch(*arguments: torch.Tensor) -> torch.Tensor:
        result = product(*arguments)
        sizes.append(result.numel())
        return result

    monkeypatch.setattr(tiled_attention, "_product", watch)
    moments_and_gradients(inputs())
    assert len(sizes) == (1 + 2) * 4 * 5  # 50 queries in 4 parts, 70 keys in 5
    assert max(sizes) == 2 * 16 * 16


def test_a_budget_limits_what_training_sees_of_large_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    query, key, value = inputs()
    query.requires_grad_()
    monkeypatch.setattr(attention, "MOST_COMPARISONS", 50 * 70)
    exact = attention_mean(query, key, value)
    monkeypatch.setattr(attention, "MOST_COMPARISONS", 50 * 35)
    with pytest.warns(DatNetWarning, match="35 of 70"):
        first, second = attention_mean(query, key, value), attention_mean(query, key, value)
    assert torch.equal(first, second)
    assert not torch.equal(first, exact)
    # Of a style that is the same everywhere any sample is as good as all.
    uniform = [tensor[..., :1].expand(-1, -1, 70) for tensor in (key, value)]
    with pytest.warns(DatNetWarning):
        torch.testing.assert_close(attention_mean(query, *uniform), value[..., :1].expand(2, 5, 50))


@pytest.fixture
def fast_everywhere(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Fast attention for any number of positions; the list gets an entry for each use of it."""
    uses: list[Any] = []

    def watch(*tensors: torch.Tensor) -> torch.Tensor:
        uses.append(tensors)
        return fast_attention_mean(*tensors)

    monkeypatch.setattr(attention, "FAST_COMPARISONS", 0)
    monkeypatch.setattr(attention, "fast_attention_mean", watch)
    return uses


@torch.no_grad()
def test_attention_is_fast_only_where_that_is_chosen(fast_everywhere: list[Any]) -> None:
    attention_mean(*inputs())
    assert not fast_everywhere
    with attention_way("fast"):
        attention_mean(*inputs())
        with attention_way("exact"):
            attention_mean(*inputs())
    attention_mean(*inputs())
    assert len(fast_everywhere) == 1


def test_a_thread_does_not_choose_for_others(fast_everywhere: list[Any]) -> None:
    with attention_way("fast"), ThreadPoolExecutor(1) as other:
        other.submit(attention_mean, *inputs()).result()
    assert not fast_everywhere


def test_attention_with_gradients_is_exact(fast_everywhere: list[Any]) -> None:
    with attention_way("fast"):
        ours = moments_and_gradients(inputs())
    for one, expected in zip(ours, moments_and_gradients(inputs()), strict=True):
        torch.testing.assert_close(one, expected, rtol=0, atol=0)
    assert not fast_everywhere


@torch.no_grad()
def test_few_positions_have_exact_attention() -> None:
    exact = attention_mean(*inputs())
    with attention_way("fast"):
        assert torch.equal(attention_mean(*inputs()), exact)


@torch.no_grad()
def test_too_many_positions_for_exact_attention_have_the_fast_one(
    monkeypatch: pytest.MonkeyPatch, fast_everywhere: list[Any]
) -> None:
    monkeypatch.setattr(attention, "MOST_COMPARISONS", 50 * 70 - 1)
    with pytest.warns(DatNetWarning, match="fast instead of exact"):
        attention_mean(*inputs())
    with warnings.catch_warnings(), attention_way("fast"):
        warnings.simplefilter("error")  # who chose it needs no warning
        attention_mean(*inputs())
    assert len(fast_everywhere) == 2


@torch.no_grad()
def test_fast_attention_gets_float32_under_autocast(fast_everywhere: list[Any]) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16), attention_way("fast"):
        mean, std = attention_moments(*inputs(torch.bfloat16))
    assert {each.dtype for each in fast_everywhere[0]} == {torch.float32}
    with attention_way("fast"):
        expected = attention_moments(*(each.float() for each in inputs(torch.bfloat16)))
    assert torch.equal(mean, expected[0])
    assert torch.equal(std, expected[1])


def test_moments_stay_in_float32_under_autocast() -> None:
    tensors = inputs(torch.bfloat16)
    expected_mean, expected_std = naive_moments(*tensors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mean, std = attention_moments(*tensors)
    assert mean.dtype == std.dtype == torch.float32
    torch.testing.assert_close(mean.double(), expected_mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(std.double(), expected_std, rtol=1e-4, atol=1e-4)


def test_gradients_are_finite_where_the_variance_is_zero() -> None:
    query, key, value = (tensor.requires_grad_() for tensor in inputs())
    constant = torch.ones(2, 5, 70, requires_grad=True)
    for values in (value, constant):
        _, std = attention_moments(1000 * query, key, values)
        std.sum().backward()
    for tensor in (query, key, value, constant):
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


def test_order_of_style_positions_does_not_matter() -> None:
    query, key, value = inputs()
    order = torch.randperm(70)
    for got, expected in zip(
        attention_moments(query, key[..., order], value[..., order]),
        attention_moments(query, key, value),
        strict=True,
    ):
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_training_samples_style_positions_and_evaluation_uses_all() -> None:
    module = AdaptiveAttentionNorm(4, 6, max_style_positions=10)
    content, style = torch.randn(1, 4, 5, 5), torch.randn(1, 4, 6, 6)
    content_key, style_key = torch.randn(1, 6, 5, 5), torch.randn(1, 6, 6, 6)
    arguments = (content, style, content_key, style_key)
    assert not torch.equal(module(*arguments), module(*arguments))
    module.eval()
    everything = module(*arguments)
    torch.testing.assert_close(module(*arguments), everything)
    module.train()
    module.max_style_positions = 36
    torch.testing.assert_close(module(*arguments), everything)


def test_it_can_start_with_the_features_themselves() -> None:
    module = AdaptiveAttentionNorm(5, 12)
    module.start_with_features()
    query, key, value = (tensor.unsqueeze(3) for tensor in inputs())
    content = torch.randn(2, 5, 50, 1, generator=torch.Generator().manual_seed(1))
    for bias in (module.query.bias, module.key.bias, module.value.bias):
        torch.nn.init.zeros_(bias)
    softened = (20 / 12) ** 0.5
    expected = adaptive_attention_norm(content, softened * query, softened * key, value)
    torch.testing.assert_close(module(content, value, query, key), expected)


@pytest.mark.parametrize(("channels", "size"), [(64, 3), (128, 5), (256, 5), (512, 5)])
def test_kernel_sizes_of_channel_attention(channels: int, size: int) -> None:
    """Equation (1) of the paper with gamma 2 and b 1."""
    module = EfficientChannelAttention(channels)
    assert module.conv.weight.shape == (1, 1, size)
    assert sum(p.numel() for p in module.parameters()) == size


def test_key_refuses_unknown_levels_and_resizing() -> None:
    features = [torch.randn(1, 4, 8, 8), torch.randn(1, 4, 4, 4)]
    with pytest.raises(ValueError, match="2 levels"):
        attention_key(features, 3)
    with pytest.raises(ValueError, match="bilinear"):
        attention_key(features, 2, resize="bicubic")  # type: ignore[arg-type]


def test_bilinear_key_differs_from_nearest() -> None:
    features = [torch.randn(1, 4, 8, 8), torch.randn(1, 4, 4, 4)]
    assert not torch.allclose(attention_key(features, 2), attention_key(features, 2, "nearest"))


@torch.no_grad()
def test_gates_that_begin_open_hardly_change_features() -> None:
    """At a mean of 1 they are 1 / (1 + exp(-4)); the outermost channels lack a neighbor."""
    for channels in CHANNELS:
        attend = EfficientChannelAttention(channels)
        attend.start_open()
        gates = attend.gates(torch.ones(1, channels, 2, 3)).flatten()
        assert gates[3:-3].numpy() == pytest.approx(1 / (1 + math.exp(-4)), abs=1e-6)
        assert gates.min() > 0.9


def test_gates_begin_open_only_where_that_is_asked_for(encoder: VggEncoder) -> None:
    features = [torch.ones(1, channels, 2, 2) for channels in CHANNELS]
    for open_gates in (True, False):
        gates = DatNet(encoder, open_gates=open_gates).channel_attention
        means = [gate.gates(maps).mean() for gate, maps in zip(gates, features, strict=True)]
        assert (min(means) > 0.97) == open_gates
    assert DatNet(encoder, channel_attention=False, open_gates=True).channel_attention is None


@torch.no_grad()
@pytest.mark.parametrize("channels", [64, 512])
def test_channel_attention_against_its_formula(channels: int) -> None:
    torch.manual_seed(0)
    module = EfficientChannelAttention(channels)
    features = torch.randn(2, channels, 3, 4)
    output = module(features)
    kernel = module.conv.weight.flatten().tolist()
    for image, maps in enumerate(features):
        means = [0.0] * (len(kernel) // 2) + [float(each.mean()) for each in maps]
        means += [0.0] * (len(kernel) // 2)
        for channel in range(channels):
            total = sum(w * means[channel + tap] for tap, w in enumerate(kernel))
            gate = 1 / (1 + math.exp(-total))
            torch.testing.assert_close(output[image, channel], maps[channel] * gate)


@pytest.mark.parametrize("resize", ["bilinear", "nearest"])
def test_attention_key_against_its_formula(resize: str) -> None:
    """Also where a side is odd, and levels are no exact halves of each other."""
    generator = torch.Generator().manual_seed(0)
    sizes = ((2, 17, 12), (3, 9, 6), (4, 5, 3))
    features = [torch.randn(2, *size, generator=generator) * 3 + 1 for size in sizes]
    for level in (1, 2, 3):
        key = attention_key(features, level, resize)
        for image in range(2):
            expected = naive.attention_key(naive.maps(features, image), level, resize)
            torch.testing.assert_close(
                key[image].double(), torch.from_numpy(expected), rtol=1e-4, atol=1e-4
            )


@torch.no_grad()
def test_adaptive_attention_norm_against_its_formula() -> None:
    torch.manual_seed(0)
    module = AdaptiveAttentionNorm(4, 3).eval()
    content, content_key = torch.randn(2, 4, 3, 5) * 3 + 1, torch.randn(2, 3, 3, 5)
    style, style_key = torch.randn(2, 4, 6, 2) - 1, torch.randn(2, 3, 6, 2)
    output = module(content, style, content_key, style_key)
    for image in range(2):
        ours, theirs, query, key = naive.maps([content, style, content_key, style_key], image)
        projected = [
            naive.conv1x1(features, layer.weight, layer.bias)
            for features, layer in (
                (query, module.query),
                (key, module.key),
                (theirs, module.value),
            )
        ]
        expected = naive.adaattn(ours, *projected)
        torch.testing.assert_close(
            output[image].double(), torch.from_numpy(expected), rtol=1e-3, atol=1e-4
        )
