"""Softmax attention that multiplies only the keys which matter, for inference.

Trained attention is sharp: half of the queries give most of their weight to a few keys, scattered
over the style image. Queries near each other prefer the same keys. So queries are sorted into
groups, scores in a few coordinates (:mod:`datnet.networks.ops.low_rank`) tell how much weight a
group gives to each key, and exact attention is computed between a group and its best keys.

Shapes: ``B`` batch, ``K`` channels of queries and keys, ``V`` channels of values, ``Nc`` content
and ``Ns`` style positions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from datnet.networks.ops.balanced_tree import balanced_groups
from datnet.networks.ops.low_rank import low_rank_products
from datnet.networks.ops.tiled_attention import SMALLEST_LOGIT

SHARE = 1 / 32
"""Share of the keys that a group of queries is compared with."""

RANK = 48
"""Number of coordinates for the scores."""

QUERIES_PER_GROUP = 128
CLUSTERS_PER_TILE = 2048

# Beyond this many keys, clusters of neighbors in the space of the scores are scored instead.
MOST_CLUSTERS = 2**16

# Smaller pictures need a larger share: fewer queries make less similar groups.
FEWEST_KEYS = 256

# A share of 1 : 32 at 1024² and relu3_1; more would cost as the square of the positions.
MOST_KEYS = 2048

# Coordinates in which queries and keys are grouped: the later ones are mostly noise.
GROUPING_RANK = 32

# Scores above the estimate of a query's largest one are cut off here, so that exp stays finite.
LARGEST_LOGIT = 60.0


def fast_attention_mean(
    query: Tensor, key: Tensor, value: Tensor, share: float = SHARE, rank: int = RANK
) -> Tensor:
    """Mean of the values, weighted by softmax(query · key) over the keys that matter.

    Deterministic, and each image of a batch is treated as if it was alone. It has no gradients.

    Args:
        query: ``(B, K, Nc)``, float32 or float64.
        key: ``(B, K, Ns)``.
        value: ``(B, V, Ns)``.
        share: Share of the keys that each query is compared with, but at least
            :data:`FEWEST_KEYS` and at most :data:`MOST_KEYS` keys.
        rank: Number of coordinates in which keys are scored.

    Returns:
        The weighted mean for each query, ``(B, V, Nc)``.
    """
    images = zip(query, key, value, strict=True)
    return torch.stack([_attention_mean(q.mT, k.mT, v.mT, share, rank).mT for q, k, v in images])


def _attention_mean(
    queries: Tensor, keys: Tensor, values: Tensor, share: float, rank: int
) -> Tensor:
    """Attention of one image: rows are positions, the result is ``(Nc, V)``."""
    # Softmax does not change if all keys are moved; the mean query becomes a bias of each key. The
    # rest is centered, so few coordinates describe it well.
    keys, values = (keys - keys.mean(0)).contiguous(), values.contiguous()
    mean_query = queries.mean(0)
    queries, biases = (queries - mean_query).contiguous(), keys @ mean_query
    scored_queries, scored_keys = low_rank_products(queries, keys, rank)
    wanted = min(len(keys), MOST_KEYS, max(FEWEST_KEYS, round(share * len(keys))))
    clusters, biases = _clusters(scored_keys, biases)
    scored_clusters = _scored_clusters(scored_keys, clusters, biases)
    seen = -(-wanted * len(clusters) // len(keys))  # clusters, rounded up

    groups = 2 ** max(0, (len(queries) // QUERIES_PER_GROUP).bit_length() - 1)
    members = balanced_groups(scored_queries[:, :GROUPING_RANK], groups)
    means = values.new_empty(members.numel(), values.shape[1])
    columns = max(len(clusters), seen * clusters.shape[1])
    memory = values.new_empty(members.shape[1] * columns)  # new memory is slow
    for group in members:
        rows = group % len(queries)
        chosen = _best_clusters(scored_queries[rows], scored_clusters, seen, memory)
        best = clusters[chosen].flatten()
        weights = memory[: len(rows) * len(best)].view(len(rows), -1)
        bias = biases[chosen].flatten()
        torch.addmm(bias, queries[rows], keys[best].mT, out=weights)  # still logits
        weights.sub_(weights.amax(1, keepdim=True)).clamp_(min=SMALLEST_LOGIT).exp_()
        means[group] = (weights @ values[best]).div_(weights.sum(1, keepdim=True))
    return means[: len(queries)]


def _best_clusters(queries: Tensor, clusters: Tensor, count: int, memory: Tensor) -> Tensor:
    """Indices of the clusters with the largest sums of softmax weights over a group of queries.

    Args:
        queries: Coordinates ``(n, r)``.
        clusters: Coordinates ``(C, r)``, a column of biases and a column of ones.
        count: Number of clusters to choose.
        memory: At least ``n · C`` numbers, which are overwritten.

    Returns:
        Indices ``(count,)``.
    """
    if count == len(clusters):
        return torch.arange(count, device=clusters.device)
    # The largest score need not be exact: it only keeps exp within the range of numbers.
    ones = queries.new_ones(len(queries), 1)
    queries = torch.cat([queries, ones], 1)
    largest = (queries @ clusters[::16, :-1].mT).amax(1, keepdim=True)
    queries = torch.cat([queries, -largest], 1)
    tiles = clusters.split(CLUSTERS_PER_TILE)
    places = memory[: len(queries) * len(clusters)].split(len(queries) * CLUSTERS_PER_TILE)
    weights = [place.view(len(queries), -1) for place in places]
    for tile, place in zip(tiles, weights, strict=True):
        torch.mm(queries, tile.mT, out=place).clamp_(SMALLEST_LOGIT, LARGEST_LOGIT).exp_()
    shares = 1 / sum(tile.sum(1) for tile in weights)
    return torch.cat([shares @ tile for tile in weights]).topk(count, sorted=False).indices


def _clusters(scored_keys: Tensor, biases: Tensor) -> tuple[Tensor, Tensor]:
    """Put keys that are near each other into clusters of equal size.

    Args:
        scored_keys: Coordinates ``(Ns, r)``.
        biases: ``(Ns,)``.

    Returns:
        Indices of the keys and their biases, both ``(clusters, size)``. A key that fills up a
        cluster a second time has a bias of -inf. Up to :data:`MOST_CLUSTERS` keys are their own.
    """
    count = len(scored_keys)
    if count <= MOST_CLUSTERS:
        return torch.arange(count, device=biases.device)[:, None], biases[:, None]
    members = balanced_groups(scored_keys[:, :GROUPING_RANK], MOST_CLUSTERS)
    again = members >= count
    members = members % count
    return members, biases[members].masked_fill(again, -torch.inf)


def _scored_clusters(scored_keys: Tensor, clusters: Tensor, biases: Tensor) -> Tensor:
    """Mean coordinates of clusters, a column of their biases and a column of ones."""
    counted = biases.isfinite().to(scored_keys)
    sizes = counted.sum(1, keepdim=True).clamp(min=1)  # some hold only keys that fill them up
    weights = (counted / sizes)[:, None]  # (clusters, 1, size)
    # In parts, since a copy of all rows in another order would double the memory.
    parts = zip(clusters.split(1024), weights.split(1024), strict=True)
    means = torch.cat([(weight @ scored_keys[part]).squeeze(1) for part, weight in parts])
    total = biases.logsumexp(1, keepdim=True)
    return torch.cat([means, total, torch.ones_like(total)], 1)
