"""Confidence intervals for means over pairs that share contents and styles."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np

DRAWS = 2000
SEED = 0
CONFIDENCE = 0.95


def bootstrap_interval(
    values: Sequence[float],
    contents: Sequence[Hashable],
    styles: Sequence[Hashable],
    draws: int = DRAWS,
    seed: int = SEED,
) -> tuple[float, float]:
    """95% percentile interval of the mean over pairs.

    The 1000 results of 50 contents × 20 styles are not 1000 independent observations: a hard
    content is hard with every style. An interval that ignores this is several times too narrow.
    Contents and styles are therefore resampled, each with replacement, and the weight of a pair is
    the number of draws of its content times that of its style (pigeonhole bootstrap; Owen, Annals
    of Applied Statistics 2007). The interval shows how much the mean varies with other contents and
    styles from the same sources; with one style (content) it says nothing about others.

    In simulations with normal effects of contents, styles and pairs it covered the true mean in 93
    to 97% of the cases at 50 × 20, against 27 to 70% for an interval of independent pairs. With
    few images it is too narrow: 87 to 92% at 10 × 5 and 5 × 4 where contents or styles dominate.

    Any list of pairs works. If the list is sparse, draws without any pair are left out.

    Args:
        values: One value per pair; may be infinite.
        contents: The content of each pair.
        styles: The style of each pair.
        draws: Number of resamples.
        seed: Seed of the generator; the same input gives the same interval.

    Returns:
        Lower and upper end; both NaN if any value is NaN. A resample with an infinite value has an
        infinite mean.

    Raises:
        ValueError: If the three sequences are empty or differ in length.
    """
    if not len(values) == len(contents) == len(styles) > 0:
        raise ValueError(
            "values, contents and styles must have one entry per pair and at least one pair; "
            f"their lengths are {len(values)}, {len(contents)} and {len(styles)}"
        )
    value = np.asarray(values, dtype=np.float64)
    if np.isnan(value).any():
        return math.nan, math.nan
    generator = np.random.default_rng(seed)
    content_index, content_counts = _resample(contents, draws, generator)
    style_index, style_counts = _resample(styles, draws, generator)

    def weighted_sum(pair_values: np.ndarray) -> np.ndarray:
        """Sum over pairs of value × content count × style count, for every draw."""
        table = np.zeros((content_counts.shape[1], style_counts.shape[1]))
        np.add.at(table, (content_index, style_index), pair_values)
        return ((content_counts @ table) * style_counts).sum(axis=1)

    finite = np.isfinite(value)
    weight = weighted_sum(np.ones_like(value))
    drawn = weight > 0
    means = weighted_sum(np.where(finite, value, 0.0))[drawn] / weight[drawn]
    means[weighted_sum(~finite)[drawn] > 0] = np.inf
    tail = (1 - CONFIDENCE) / 2
    # An order statistic: interpolating between a finite and an infinite mean is impossible.
    low, high = np.quantile(means, (tail, 1 - tail), method="inverted_cdf")
    return float(low), float(high)


def _resample(
    labels: Sequence[Hashable], draws: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Index of each pair's label, ``(pairs,)``, and draw counts of labels, ``(draws, n)``."""
    positions = {label: position for position, label in enumerate(dict.fromkeys(labels))}
    index = np.array([positions[label] for label in labels])
    count = len(positions)
    counts = generator.multinomial(count, np.full(count, 1 / count), size=draws)
    return index, counts.astype(np.float64)
