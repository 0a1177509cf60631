"""Sorts points into groups of equal size whose members are near each other."""

from __future__ import annotations

import torch
from torch import Tensor

# Power iterations for the direction of the largest variance; it need not be exact.
ITERATIONS = 6


def balanced_groups(points: Tensor, groups: int) -> Tensor:
    """Divide points into groups of equal size by halving them along the main direction.

    Each set of points is split at the median of its projections onto the direction of its largest
    variance, until there are ``groups`` sets. If the number of points is not a multiple of
    ``groups``, the first points appear again.

    Args:
        points: ``(N, r)``.
        groups: A power of 2, at most N.

    Returns:
        Indices ``(groups, ⌈N / groups⌉)`` of the members. Indices of ``N`` and above stand for
        points that appear again: ``N + i`` for point ``i``.
    """
    count, channels = points.shape
    size = -(-count // groups)
    points = torch.cat([points, points[: size * groups - count]])[None]
    members = torch.arange(size * groups, device=points.device)[None]
    while len(members) < groups:
        order = _projections(points).argsort(dim=1, stable=True)
        members = members.gather(1, order)
        points = points.gather(1, order[..., None].expand(-1, -1, channels))
        points, members = points.unflatten(1, (2, -1)), members.unflatten(1, (2, -1))
        points, members = points.flatten(0, 1), members.flatten(0, 1)
    return members


def _projections(points: Tensor) -> Tensor:
    """Coordinates of sets of points ``(S, N, r)`` along each set's main direction, ``(S, N)``."""
    centered = points - points.mean(1, keepdim=True)
    first = centered.square().sum(1).argmax(1)  # start along the channel that varies most
    direction = torch.zeros_like(centered[:, 0]).scatter_(1, first[:, None], 1)[..., None]
    for _ in range(ITERATIONS):
        direction = centered.mT @ (centered @ direction)
        direction = torch.nn.functional.normalize(direction, dim=1)
    return (centered @ direction)[..., 0]
