from __future__ import annotations

import pytest
import torch

from datnet.networks import attention
from datnet.networks.attention import (
    AdaptiveAttentionNorm,
    EfficientChannelAttention,
    attention_key,
    attention_mean,
    attention_moments,
)


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
    """Values far from zero lose no digits: they are centred before they are squared."""
    tensors = inputs(offset=offset)
    expected_mean, expected_std = naive_moments(*tensors)
    mean, std = attention_moments(*tensors)
    torch.testing.assert_close(mean.double(), expected_mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(std.double(), expected_std, rtol=1e-5, atol=1e-5)


def test_blocks_give_the_same_moments_and_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for limit in (2**24, 1000):
        monkeypatch.setattr(attention, "MAX_ATTENTION_WEIGHTS", limit)
        tensors = [tensor.requires_grad_() for tensor in inputs()]
        mean, std = attention_moments(*tensors)
        (mean.sin().sum() + std.square().sum()).backward()
        results.append([mean, std, *(tensor.grad for tensor in tensors)])
    for whole, blocked in zip(*results, strict=True):
        torch.testing.assert_close(blocked, whole, rtol=1e-5, atol=1e-6)


def test_weights_never_exceed_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "MAX_ATTENTION_WEIGHTS", 1000)
    sizes = []
    softmax = torch.softmax

    def watch(logits: torch.Tensor, dim: int) -> torch.Tensor:
        sizes.append(logits.numel())
        return softmax(logits, dim)

    monkeypatch.setattr(torch, "softmax", watch)
    attention_mean(*inputs())
    assert len(sizes) > 1
    assert max(sizes) <= 1000


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
