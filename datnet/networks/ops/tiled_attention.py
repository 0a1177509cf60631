"""Exact softmax attention tile by tile, forward and backward.

The ``Nc × Ns`` weights of all pairs of positions fill a gigabyte at 512 × 512 pixels. Here only a
tile of them exists at a time, small enough for a processor's cache: the forward pass carries a
running maximum and sum of every query (Milakov and Gimelshein, arXiv 1805.02867), the backward pass
makes each tile again (FlashAttention, Dao et al., NeurIPS 2022). Ordinary matrix products do the
rest, so any device and any number of channels will do.

Shapes: ``B`` batch, ``K`` channels of queries and keys, ``V`` of values, ``Nc`` content and ``Ns``
style positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

QUERIES_PER_TILE = 1024

# Weights that exist at once: 8 MiB stay in a processor's cache; a GPU wants large products.
CPU_WEIGHTS_PER_TILE = 2**21
GPU_WEIGHTS_PER_TILE = 2**26

# Below e^-87 float32 has only denormal numbers, with which processors multiply up to a hundred
# times more slowly, and trained attention is full of them. Weights of e^-50 add nothing to a mean
# that float32 could hold, and leave room for products with small gradients.
SMALLEST_LOGIT = -50.0


def tiled_attention_mean(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Average the values of all positions, weighted by softmax(query · key).

    Args:
        query: ``(B, K, Nc)``, float32 or float64.
        key: ``(B, K, Ns)``.
        value: ``(B, V, Ns)``.

    Returns:
        The weighted mean for every query position, ``(B, V, Nc)``.
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
    """The same with all weights in one piece, kept for the backward pass; faster for few."""
    return _WholeAttentionMean.apply(query, key, value)


class _WholeAttentionMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        weights = query.mT @ key  # (B, Nc, Ns), logits so far
        weights.sub_(weights.amax(2, keepdim=True)).clamp_(min=SMALLEST_LOGIT).exp_()
        weights.div_(weights.sum(2, keepdim=True))
        means = value @ weights.mT
        ctx.save_for_backward(query, key, value, weights, means)
        return means

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value, weights, means = ctx.saved_tensors
        shares = (gradient * means).sum(1).unsqueeze(2)  # of the softmax's normalisation
        logits = (gradient.mT @ value).sub_(shares).mul_(weights)
        return key @ logits.mT, query @ logits, gradient @ weights


def _forward(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted means ``(B, Nc, V)``, and the logarithm of each softmax's sum ``(B, Nc, 1)``."""
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
            weights = _product(query, key, memory)  # logits so far
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
    """Gradients of queries, keys and values from those of the weighted means."""
    query_gradients, key_gradients, value_gradients = map(torch.zeros_like, (queries, keys, values))
    shares = (gradients * means).sum(2, keepdim=True)  # of the softmax's normalisation
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
    """All scalar products, ``(B, Nr, Nc)``, in memory that is there already."""
    shape = rows.shape[0], rows.shape[1], columns.shape[1]
    product = memory[: shape[0] * shape[1] * shape[2]].view(shape)
    return torch.bmm(rows, columns.mT, out=product)


def _accumulate(total: Tensor, left: Tensor, right: Tensor) -> None:
    torch.baddbmm(total, left, right, out=total)
