"""What a mean over pairs hides: its spread over paintings and photographs, and its extremes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from math import prod
from statistics import fmean

import numpy as np

from datnet.evaluation.differences import PairValues
from datnet.evaluation.metrics import Column
from datnet.evaluation.result_folder import Names

PARTS = ("network", "photograph", "painting")


def means_by_picture(pairs: PairValues, key: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return the mean of a metric for each photograph and for each painting.

    Args:
        pairs: Values of one network.
        key: Key of the metric.

    Returns:
        By name of the photograph, over its paintings; and by name of the painting, over its
        photographs.
    """
    kinds: tuple[dict[str, list[float]], ...] = (defaultdict(list), defaultdict(list))
    for names, values in pairs.items():
        for of_kind, name in zip(kinds, names, strict=True):
            of_kind[name].append(values[key])
    photographs, paintings = (
        {name: fmean(values) for name, values in of_kind.items()} for of_kind in kinds
    )
    return photographs, paintings


def variance_shares(networks: Sequence[PairValues], key: str) -> dict[str, float] | None:
    """Split the variance of a metric into what networks, photographs and paintings contribute.

    Components of a model with crossed random effects, estimated from mean squares (Searle, Casella,
    McCulloch, *Variance Components*, 1992, chapter 4); negative estimates count as 0. The part
    of all three together, or of photograph and painting for a single network, cannot be told from
    chance: it is the rest.

    Args:
        networks: Values of each network, on the same pairs.
        key: Key of the metric.

    Returns:
        Shares by part, such as "painting" or "network × painting", that add up to 1. None if not
        every photograph was paired with every painting, there is only one of a kind, values are
        not finite or all are equal.
    """
    names = list(networks[0])
    contents, styles = (list(dict.fromkeys(column)) for column in zip(*names, strict=True))
    if set(names) != {(content, style) for content in contents for style in styles}:
        return None
    values = np.array(
        [
            [[pairs[content, style][key] for style in styles] for content in contents]
            for pairs in networks
        ]
    )
    parts: tuple[str, ...] = PARTS
    if len(networks) == 1:
        values, parts = values[0], PARTS[1:]
    if min(values.shape) < 2 or not np.isfinite(values).all():
        return None
    components = _components(values)
    total = sum(max(0.0, component) for component in components.values())
    if total == 0:
        return None
    whole = tuple(range(values.ndim))
    return {
        "rest" if axes == whole else " × ".join(parts[axis] for axis in axes): max(0.0, component)
        / total
        for axes, component in components.items()
    }


def _components(values: np.ndarray) -> dict[tuple[int, ...], float]:
    """Variance components of all main effects and interactions, by their axes."""
    axes = tuple(range(values.ndim))
    subsets = [each for size in range(1, len(axes) + 1) for each in combinations(axes, size)]
    effects: dict[tuple[int, ...], np.ndarray] = {(): values.mean(keepdims=True)}
    mean_squares: dict[tuple[int, ...], float] = {}
    for subset in subsets:
        others = tuple(axis for axis in axes if axis not in subset)
        mean = values.mean(others, keepdims=True) if others else values
        effects[subset] = mean - sum(
            effect for each, effect in effects.items() if set(each) < set(subset)
        )
        repeated = prod(values.shape[axis] for axis in others)
        freedom = prod(values.shape[axis] - 1 for axis in subset)
        mean_squares[subset] = repeated * float(np.square(effects[subset]).sum()) / freedom

    def times(subset: tuple[int, ...]) -> int:
        return prod(values.shape[axis] for axis in axes if axis not in subset)

    # The expected mean square of a subset is the sum over its supersets of times × component.
    components: dict[tuple[int, ...], float] = {}
    for subset in reversed(subsets):
        larger = sum(
            times(each) * component
            for each, component in components.items()
            if set(each) > set(subset)
        )
        components[subset] = (mean_squares[subset] - larger) / times(subset)
    return {subset: components[subset] for subset in subsets}


def worst(pairs: PairValues, column: Column, count: int) -> list[Names]:
    """Return the pairs with the worst values of a metric, the worst first."""
    return sorted(pairs, key=lambda names: column.quality(pairs[names][column.key]))[:count]


def best(pairs: PairValues, columns: Sequence[Column], count: int) -> list[Names]:
    """Return the pairs that are good in all given metrics: the worst of their ranks is best."""
    ranks: dict[Names, list[int]] = {names: [] for names in pairs}
    for column in columns:
        for rank, names in enumerate(worst(pairs, column, len(pairs))):
            ranks[names].append(rank)
    return sorted(pairs, key=lambda names: (min(ranks[names]), sum(ranks[names])))[::-1][:count]
