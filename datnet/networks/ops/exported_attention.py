"""Softmax attention in a form that torch.export can trace for images of any size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.ops.tiled_attention import SMALLEST_LOGIT

QUERIES_PER_BLOCK = 512


def exported_attention_mean(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention, the exportable form of :func:`~datnet.networks.attention.attention_mean`.

    The loop over blocks of queries is part of the exported graph, so it needs no sizes and branches
    in Python.

    Args:
        query: ``(B, K, Nc)``.
        key: ``(B, K, Ns)``.
        value: ``(B, V, Ns)``.

    Returns:
        The weighted mean for each query, ``(B, V, Nc)``.
    """
    from torch._higher_order_ops.scan import scan  # slow to import and only needed here

    positions = query.shape[2]
    # The export unrolls a loop with a single iteration, which is then wrong for larger images.
    count = positions // QUERIES_PER_BLOCK + 2
    padded = F.pad(query, (0, count * QUERIES_PER_BLOCK - positions))
    blocks = padded.unflatten(2, (count, QUERIES_PER_BLOCK)).movedim(2, 0)

    def step(turn: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        logits = queries.mT @ key
        # Softmax is invariant to subtracting the maximum; for the clamp see SMALLEST_LOGIT.
        logits = (logits - logits.amax(2, keepdim=True)).clamp(min=SMALLEST_LOGIT)
        return turn + 1, value @ torch.softmax(logits, dim=-1).mT

    _, means = scan(step, torch.zeros(()), blocks)
    return means.movedim(0, 2).flatten(2)[:, :, :positions]
