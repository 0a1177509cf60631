"""Queries and keys in the few coordinates that give their scalar products best.

Shapes: ``K`` channels, ``Nc`` queries, ``Ns`` keys, ``r`` coordinates.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Second moments are measured on at most this many queries and keys, evenly spaced.
MEASURED = 4096

# Measured at relu3_1 of the shipped datnet_full: more iterations change nothing.
ITERATIONS = 2


def low_rank_products(queries: Tensor, keys: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Coordinates whose scalar products are those of queries and keys, as well as ``rank`` allows.

    With the second moments C_q and C_k, the best products on average come from the leading
    eigenvectors W of C_k C_q, scaled so that Wᵀ C_q W = 1: queries become Wᵀ q and keys Wᵀ C_q k.
    Both are then scaled to equal second moments, so the first coordinates matter most on both
    sides. This is balanced truncation (Moore, IEEE Transactions on Automatic Control 1981), found
    by subspace iteration from a fixed start.

    Args:
        queries: ``(Nc, K)``.
        keys: ``(Ns, K)``.
        rank: Number of coordinates; at most K are used.

    Returns:
        Queries ``(Nc, r)`` and keys ``(Ns, r)``, ``r = min(rank, K)``.
    """
    some_queries, some_keys = _evenly_spaced(queries), _evenly_spaced(keys)
    start = torch.randn(
        keys.shape[1], min(rank, keys.shape[1]), generator=torch.Generator().manual_seed(0)
    )
    basis = start.to(queries)
    for _ in range(ITERATIONS):
        basis = _times_moments(some_keys, _times_moments(some_queries, basis))
        basis = torch.linalg.qr(basis).Q
    of_keys = _times_moments(some_queries, basis)  # C_q W
    scale, turn = torch.linalg.eigh(basis.mT @ of_keys)
    turn = turn / _positive(scale).sqrt()
    basis, of_keys = basis @ turn, of_keys @ turn  # now Wᵀ C_q W = 1
    moments, turn = torch.linalg.eigh(_times_moments(some_keys, of_keys).mT @ of_keys)
    moments, turn = _positive(moments.flip(0)), turn.flip(1)  # largest first
    balance = moments.pow(0.25)
    return queries @ (basis @ turn * balance), keys @ (of_keys @ turn / balance)


def _evenly_spaced(rows: Tensor) -> Tensor:
    return rows[:: -(-len(rows) // MEASURED)]


def _times_moments(rows: Tensor, vectors: Tensor) -> Tensor:
    return rows.mT @ (rows @ vectors) / len(rows)


def _positive(eigenvalues: Tensor) -> Tensor:
    """Raise eigenvalues that are 0 up to rounding, so that nothing is divided by 0."""
    smallest = torch.finfo(eigenvalues.dtype).eps * eigenvalues.amax()
    return eigenvalues.clamp(min=smallest.clamp(min=torch.finfo(eigenvalues.dtype).tiny))
