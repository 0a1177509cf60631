"""Exact softmax attention in tiles, forward and backward.

The full ``Nc × Ns`` attention matrix takes a gigabyte at 512 × 512 pixels. Here only one tile of it
exists at a time, small enough for a CPU cache. The forward pass keeps a running maximum and sum for
each query (Milakov and Gimelshein, arXiv 1805.02867), and the backward pass recomputes each tile
(FlashAttention, Dao et al., NeurIPS 2022). All other steps are ordinary matrix products, so any
device and any number of channels works.

Shapes: ``B`` batch, ``K`` channels of queries and keys, ``V`` channels of values, ``Nc`` content
and ``Ns`` style positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

QUERIES_PER_TILE = 1024

# Attention weights per tile: 8 MiB fit into a CPU cache; a GPU needs large products.
CPU_WEIGHTS_PER_TILE = 2**21
GPU_WEIGHTS_PER_TILE = 2**26

# Lower bound of the logits after subtraction of the maximum. Below e^-87 float32 is denormal, which
# CPUs multiply up to a hundred times more slowly, and trained attention has many such weights. A
# weight of e^-50 does not change a float32 mean and leaves room for products with small gradients.
SMALLEST_LOGIT = -50.0


def tiled_attention_mean(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Mean of the values, weighted by softmax(query · key), computed in tiles.

    Args:
        query: ``(B, K, Nc)``, float32 or float64.
        key: ``(B, K, Ns)``.
        value: ``(B, V, Ns)``.

    Returns:
        The weighted mean for each query, ``(B, V, Nc)``.
    """
    return _TiledAttentionMean.apply(query, key, value)


class _TiledAttentionMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        queries = query.mT.contiguous()  # (B, Nc, K); no copy for features with channels last
        keys, values = key.mT, value.mT.contiguous()
        means, log_sums = _forward(queries, keys, values)
        ctx.save_for_backward(queries, keys, values, means, log_sums)
        return means.mT

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gradients = _backward(gradient.mT.contiguous(), *ctx.saved_tensors)
        return gradients[0].mT, gradients[1].mT, gradients[2].mT


def whole_attention_mean(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Mean of the values, weighted by softmax(query · key), with the full attention matrix.

    Faster than :func:`tiled_attention_mean` for few query–key pairs. The matrix is kept for the
    backward pass.

    Args:
        query: ``(B, K, Nc)``, float32 or float64.
        key: ``(B, K, Ns)``.
        value: ``(B, V, Ns)``.

    Returns:
        The weighted mean for each query, ``(B, V, Nc)``.
    """
    return _WholeAttentionMean.apply(query, key, value)


class _WholeAttentionMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        weights = query.mT @ key  # (B, Nc, Ns), still logits
        weights.sub_(weights.amax(2, keepdim=True)).clamp_(min=SMALLEST_LOGIT).exp_()
        weights.div_(weights.sum(2, keepdim=True))
        means = value @ weights.mT
        ctx.save_for_backward(query, key, value, weights, means)
        return means

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, weights, means = ctx.saved_tensors
        shares = (gradient * means).sum(1).unsqueeze(2)  # through the softmax's denominator
        logits = (gradient.mT @ value).sub_(shares).mul_(weights)
        return key @ logits.mT, query @ logits, gradient @ weights


def _forward(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted means ``(B, Nc, V)`` and the log-sum-exp of the logits ``(B, Nc, 1)``."""
    batch, positions, _ = queries.shape
    means = queries.new_zeros(batch, positions, values.shape[2])
    log_sums = queries.new_empty(batch, positions, 1)
    queries_per_tile, keys_per_tile = _tile_size(queries, keys)
    memory = queries.new_empty(batch * queries_per_tile * keys_per_tile)
    for rows in _parts(positions, queries_per_tile):
        query, mean = queries[:, rows], means[:, rows]
        maximum = torch.full_like(log_sums[:, rows], -torch.inf)
        total = torch.zeros_like(maximum)
        for columns in _parts(keys.shape[1], keys_per_tile):
            key, value = keys[:, columns], values[:, columns]
            weights = _product(query, key, memory)  # still logits
            previous, maximum = maximum, maximum.maximum(weights.amax(2, keepdim=True))
            weights.sub_(maximum).clamp_(min=SMALLEST_LOGIT).exp_()
            faded = (previous - maximum).exp_()
            total = total * faded + weights.sum(2, keepdim=True)
            torch.baddbmm(mean.mul_(faded), weights, value, out=mean)
        mean.div_(total)
        log_sums[:, rows] = maximum + total.log()
    return means, log_sums


def _backward(
    gradients: Tensor, queries: Tensor, keys: Tensor, values: Tensor, means: Tensor, sums: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of queries, keys and values from the gradients of the weighted means."""
    query_gradients, key_gradients, value_gradients = map(torch.zeros_like, (queries, keys, values))
    shares = (gradients * means).sum(2, keepdim=True)  # through the softmax's denominator
    queries_per_tile, keys_per_tile = _tile_size(queries, keys)
    memory = queries.new_empty(2, queries.shape[0] * queries_per_tile * keys_per_tile)
    for rows in _parts(queries.shape[1], queries_per_tile):
        query, gradient = queries[:, rows], gradients[:, rows]
        for columns in _parts(keys.shape[1], keys_per_tile):
            key, value = keys[:, columns], values[:, columns]
            weights = _product(query, key, memory[0]).sub_(sums[:, rows])
            weights.clamp_(min=SMALLEST_LOGIT).exp_()
            _accumulate(value_gradients[:, columns], weights.mT, gradient)
            logits = _product(gradient, value, memory[1]).sub_(shares[:, rows]).mul_(weights)
            _accumulate(query_gradients[:, rows], logits, key)
            _accumulate(key_gradients[:, columns], logits.mT, query)
    return query_gradients, key_gradients, value_gradients


def _tile_size(queries: Tensor, keys: Tensor) -> tuple[int, int]:
    batch, positions, _ = queries.shape
    on_cpu = queries.device.type == "cpu"
    weights = CPU_WEIGHTS_PER_TILE if on_cpu else GPU_WEIGHTS_PER_TILE
    queries_per_tile = min(positions, QUERIES_PER_TILE)
    keys_per_tile = max(QUERIES_PER_TILE, weights // (batch * queries_per_tile))
    return queries_per_tile, min(keys.shape[1], keys_per_tile)


def _parts(total: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def _product(rows: Tensor, columns: Tensor, memory: Tensor) -> Tensor:
    """Scalar products of all query–key pairs, ``(B, Nr, Nc)``, written into existing memory."""
    shape = rows.shape[0], rows.shape[1], columns.shape[1]
    product = memory[: shape[0] * shape[1] * shape[2]].view(shape)
    return torch.bmm(rows, columns.mT, out=product)


def _accumulate(total: Tensor, left: Tensor, right: Tensor) -> None:
    torch.baddbmm(total, left, right, out=total)
