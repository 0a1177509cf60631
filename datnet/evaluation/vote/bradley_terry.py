"""Bradley–Terry strengths of networks from comparisons of two."""

from __future__ import annotations

import math

import numpy as np

VIRTUAL_TIES = 0.5
"""Half wins that are added to either side of each two networks. Without them a network that won
all its comparisons would have an infinite strength."""


def strengths(wins: np.ndarray, steps: int = 500, tolerance: float = 1e-9) -> np.ndarray:
    """Estimate strengths by maximum likelihood (Bradley and Terry, Biometrika 1952).

    Network i is preferred to j with probability ``1 / (1 + exp(s_j - s_i))``. A tie counts half a
    win for both. ``VIRTUAL_TIES`` are added. The iteration is Hunter's (Annals of Statistics 2004).

    Args:
        wins: ``(..., networks, networks)``: how often the row's network was preferred to the
            column's.
        steps: Most iterations.
        tolerance: Largest change of a strength at which it ends.

    Returns:
        ``(..., networks)``, strengths in logits with mean 0.
    """
    count = wins.shape[-1]
    wins = wins + VIRTUAL_TIES * (1 - np.eye(count))
    played = wins + wins.swapaxes(-1, -2)
    total = wins.sum(-1)
    strength = np.zeros(wins.shape[:-1])
    for _ in range(steps):
        power = np.exp(strength)
        met = (played / (power[..., :, None] + power[..., None, :])).sum(-1)
        updated = np.log(total / met)
        updated -= updated.mean(-1, keepdims=True)
        change = np.abs(updated - strength).max()
        strength = updated
        if change < tolerance:
            break
    return strength


def interval(draws: np.ndarray, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Return percentile intervals of resampled strengths.

    Args:
        draws: ``(draws, networks)``.
        confidence: Share of the draws within.

    Returns:
        Lower and upper ends, ``(networks,)``.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, (tail, 1 - tail), axis=0)
    return low, high


def preference(strength: float, other: float) -> float:
    """Probability that the first of two networks is preferred."""
    return 1 / (1 + math.exp(other - strength))
