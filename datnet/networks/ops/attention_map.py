"""What softmax attention looks at: its weights and their statistics, in linear memory.

A network only returns weighted means of the values. Here the weights themselves are computed again
from queries and keys, block by block.

Shapes: ``heads`` attention heads, ``K`` channels of queries and keys, ``h w`` height and width of
the content's feature map, ``hs ws`` those of the style's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from datnet.networks.statistics import full_precision

WEIGHTS_PER_BLOCK = 2**22
"""Attention weights that exist at the same time: 16 MiB in float32."""


@dataclass(frozen=True, eq=False)
class QueriesAndKeys:
    """The inputs of one attention from content to style, for one pair of images.

    The attention weights are softmax(query · key) over all style positions, averaged over heads.

    Attributes:
        name: Its place in the network, such as "relu4_1".
        stride: Pixels per position: position ``i`` starts at pixel ``i * stride``.
        queries: ``(heads, K, h, w)``, scaled.
        keys: ``(heads, K, hs, ws)``.
    """

    name: str
    stride: int
    queries: Tensor
    keys: Tensor


@dataclass(frozen=True, eq=False)
class AttentionStatistics:
    """Statistics of the attention weights.

    Attributes:
        strongest: int64 ``(h, w, 2)``: row and column of the largest weight, in style positions.
        mean: ``(h, w, 2)``: row and column averaged with the weights.
        entropy: ``(h, w)``, in bits: 0 if all weight is on one style position, log2(hs · ws) if it
            is the same everywhere.
        share: ``(hs, ws)``: the weight that each style position gets, averaged over the content;
            sums to 1.
    """

    strongest: Tensor
    mean: Tensor
    entropy: Tensor
    share: Tensor


@torch.no_grad()
def attention_weights(queries: Tensor, keys: Tensor) -> Tensor:
    """Attention weights of a few queries, averaged over heads.

    Args:
        queries: ``(heads, K, N)``.
        keys: ``(heads, K, hs, ws)``.

    Returns:
        ``(N, hs, ws)``, float32 or wider; each of the N sums to 1.
    """
    with torch.autocast(queries.device.type, enabled=False):
        logits = full_precision(queries).mT @ full_precision(keys).flatten(2)
        return logits.softmax(dim=2).mean(dim=0).unflatten(1, keys.shape[2:])


@torch.no_grad()
def attention_statistics(queries: Tensor, keys: Tensor) -> AttentionStatistics:
    """Statistics of the attention weights of all queries.

    Memory is linear in the number of positions; time is that of the attention itself.

    Args:
        queries: ``(heads, K, h, w)``.
        keys: ``(heads, K, hs, ws)``.

    Returns:
        The statistics, on the same device.
    """
    heads, _, height, width = queries.shape
    rows, columns = keys.shape[2:]
    positions = torch.stack(
        torch.meshgrid(
            torch.arange(rows, device=keys.device),
            torch.arange(columns, device=keys.device),
            indexing="ij",
        ),
        dim=2,
    ).flatten(0, 1)  # (hs · ws, 2)
    share = torch.zeros(rows * columns, device=keys.device, dtype=torch.float64)
    strongest, mean, entropy = [], [], []
    block = max(1, WEIGHTS_PER_BLOCK // (heads * rows * columns))
    for some in queries.flatten(2).split(block, dim=2):
        weights = attention_weights(some, keys).flatten(1)
        strongest.append(positions[weights.argmax(dim=1)])
        mean.append(weights @ positions.to(weights.dtype))
        entropy.append(torch.special.entr(weights).sum(dim=1))
        share += weights.sum(dim=0)
    return AttentionStatistics(
        strongest=torch.cat(strongest).view(height, width, 2),
        mean=torch.cat(mean).view(height, width, 2),
        entropy=(torch.cat(entropy) / torch.log(torch.tensor(2.0))).view(height, width),
        share=(share / (height * width)).to(mean[0].dtype).view(rows, columns),
    )
