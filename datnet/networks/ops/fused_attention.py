"""Softmax attention through torch's fused kernels, which take heads of at most 128 channels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.ops.low_rank import low_rank_products

CHANNELS = 128
"""Channels of queries, keys and slices of values, which every fused kernel takes."""


def has_fused_kernels(device: torch.device) -> bool:
    """Whether torch has fused attention kernels for a device that need no attention matrix."""
    return device.type == "cuda"


def fused_attention_mean(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Mean of the values, weighted by softmax of low-rank products of queries and keys.

    With more than 127 channels, queries and keys are reduced to their 127 best coordinates, see
    :mod:`datnet.networks.ops.low_rank`, and a bias of each key. The values take part in slices of
    128 channels.

    Args:
        query: ``(B, K, Nc)``, float32 or float64.
        key: ``(B, K, Ns)``.
        value: ``(B, V, Ns)``.

    Returns:
        The weighted mean for each query, ``(B, V, Nc)``.
    """
    reduced = [_reduce(q.mT, k.mT) for q, k in zip(query, key, strict=True)]
    queries = torch.stack([queries for queries, _ in reduced])[:, None]  # one head
    keys = torch.stack([keys for _, keys in reduced])[:, None]
    slices = value.mT[:, None].split(CHANNELS, dim=3)
    means = [
        F.scaled_dot_product_attention(queries, keys, each.contiguous(), scale=1.0)
        for each in slices
    ]
    return torch.cat(means, dim=3)[:, 0].mT


def _reduce(queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Queries ``(Nc, 128)`` and keys ``(Ns, 128)`` with nearly the same softmax."""
    # Softmax does not change if all keys are moved; the mean query becomes a bias of each key.
    keys = keys - keys.mean(0)
    mean = queries.mean(0)
    biases = keys @ mean
    queries, low_rank_keys = low_rank_products(queries - mean, keys, CHANNELS - 1)
    queries = torch.cat([queries, torch.ones_like(queries[:, :1])], 1)
    keys = torch.cat([low_rank_keys, biases[:, None]], 1)
    empty = CHANNELS - queries.shape[1]
    return F.pad(queries, (0, empty)), F.pad(keys, (0, empty))
