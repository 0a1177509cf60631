"""Attention in a form that torch.export can write down for pictures of any size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.ops.tiled_attention import SMALLEST_LOGIT

QUERIES_PER_BLOCK = 512


def exported_attention_mean(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """What :func:`~datnet.networks.attention.attention_mean` gives.

    Blocks of queries in a loop that the exported graph contains, without Python's sizes and
    branches.
    """
    from torch._higher_order_ops.scan import scan  # slow to import, and needed here alone

    positions = query.shape[2]
    # A loop of one turn would be unrolled while exporting, and then be wrong for larger pictures.
    count = positions // QUERIES_PER_BLOCK + 2
    padded = F.pad(query, (0, count * QUERIES_PER_BLOCK - positions))
    blocks = padded.unflatten(2, (count, QUERIES_PER_BLOCK)).movedim(2, 0)

    def step(turn: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        logits = queries.mT @ key
        # See SMALLEST_LOGIT; taking a constant away changes no softmax.
        logits = (logits - logits.amax(2, keepdim=True)).clamp(min=SMALLEST_LOGIT)
        return turn + 1, value @ torch.softmax(logits, dim=-1).mT

    _, means = scan(step, torch.zeros(()), blocks)
    return means.movedim(0, 2).flatten(2)[:, :, :positions]
