"""Paired differences between networks, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from datnet.evaluation.markdown import aligned
from datnet.evaluation.metrics import Column, pair_metrics
from datnet.evaluation.result_folder import read_results
from datnet.evaluation.summary import Estimate, format_estimate

PairValues = dict[tuple[str, str], dict[str, float]]
"""Values of all metrics by the names of content and style."""

EXPLANATION = (
    "Mean differences over the same pairs with 95% bootstrap intervals over contents and styles: a "
    "gain or a loss if the interval excludes 0, otherwise open; up or down for metrics that are "
    "best near 0 (→0). Intervals over pictures do not "
    "tell what trainings with other seeds would give, and for few pictures they are too narrow: in "
    "simulations those of 10 × 5 cover the true mean in 87 to 92% of the cases."
)
"""Explains :func:`differences_table`; printed next to it."""


def mean_pair_values(folders: Sequence[Path]) -> PairValues:
    """Average the values of each pair over evaluations.

    Args:
        folders: Evaluations on the same pairs: of one network, or of one variant trained with
            several seeds.

    Returns:
        Values of the metrics that every pair has in all evaluations. A metric that is newer than
        an evaluation is missing until `datnet evaluate` has completed it.

    Raises:
        DatNetError: If results are damaged or from a newer version of DatNet.
    """
    evaluations = [read_results(folder / "results.csv") for folder in folders]
    keys = [
        metric.key
        for metric in pair_metrics()
        if all(metric.key in pair for values in evaluations for pair in values.values())
    ]
    return {
        pair: {
            key: sum(values[pair][key] for values in evaluations) / len(evaluations) for key in keys
        }
        for pair in evaluations[0]
    }


def estimates_of(pairs: PairValues) -> dict[str, Estimate]:
    """Return mean and interval of each metric."""
    contents, styles = zip(*pairs, strict=True)
    return {
        key: Estimate.of_pairs([values[key] for values in pairs.values()], contents, styles)
        for key in next(iter(pairs.values()))
    }


def differences(before: PairValues, after: PairValues) -> dict[str, Estimate]:
    """Paired differences of each metric between two networks.

    Images differ more than networks do, so the interval of the difference is narrower than those of
    the two means suggest. With a single content or style there is no interval, since it would not
    hold for others.

    Args:
        before: Values of the first network.
        after: Values of the second network, on the same pairs.

    Returns:
        The mean of "after minus before" for each metric that both have, by key.
    """
    changes = estimates_of(
        {
            pair: {
                key: value - before[pair][key]
                for key, value in values.items()
                if key in before[pair]
            }
            for pair, values in after.items()
        }
    )
    if min(len(set(names)) for names in zip(*after, strict=True)) > 1:
        return changes
    return {key: replace(change, ci95=None) for key, change in changes.items()}


def verdict(column: Column, difference: Estimate) -> str:
    """Interpret a difference by its interval.

    Args:
        column: The metric.
        difference: See :func:`differences`.

    Returns:
        "open" if the interval contains 0 or is missing, otherwise "gain" or "loss". For a metric
        that is best near 0 a difference does not distinguish these: "up" or "down".
    """
    low, high = difference.ci95 or (-math.inf, math.inf)
    if low <= 0 <= high or math.isnan(low):
        return "open"
    if column.better == "zero":
        return "up" if low > 0 else "down"
    return "gain" if (low > 0) == (column.better == "high") else "loss"


def differences_table(changes: Mapping[str, Mapping[str, Estimate]]) -> str:
    """Return a Markdown table with a row per metric.

    Args:
        changes: See :func:`differences`, by the title of the column.
    """
    rows = [["", *changes]] + [
        [
            f"{column.label} {column.arrow}",
            *(
                f"{format_estimate(change[column.key], column.decimals)} "
                f"{verdict(column, change[column.key])}"
                for change in changes.values()
            ),
        ]
        for column in pair_metrics()
        if all(column.key in change for change in changes.values())
    ]
    return aligned(rows)
