"""Differences between networks, pair by pair: what the intervals of two means cannot tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from datnet.evaluation.markdown import aligned
from datnet.evaluation.metrics import METRICS, Column
from datnet.evaluation.result_folder import read_results
from datnet.evaluation.summary import Estimate, format_estimate

PairValues = dict[tuple[str, str], dict[str, float]]
"""By names of content and style: the value of every metric."""

EXPLANATION = (
    "The mean difference of the same pairs with its 95% bootstrap interval over contents and "
    "styles: a gain or a loss where that leaves 0 out, else open; of numbers that are best near 0 "
    "(→0) up or down. Intervals over pictures do not "
    "tell what trainings with other seeds would give, and of few pictures they are too narrow: in "
    "simulations those of 10 × 5 cover the truth in 87 to 92%."
)
"""Belongs beside :func:`differences_table`."""


def mean_pair_values(folders: Sequence[Path]) -> PairValues:
    """Every pair's values, averaged over evaluations.

    Args:
        folders: Evaluations on the same pairs: one network's, or those of one variant's networks
            of several seeds.

    Returns:
        Of the metrics that every pair has in all of them: a metric that is newer than an evaluation
        is absent until `datnet evaluate` has completed it.

    Raises:
        DatNetError: If their results are damaged or of a newer version of DatNet.
    """
    evaluations = [read_results(folder / "results.csv") for folder in folders]
    keys = [
        metric.key
        for metric in METRICS
        if all(metric.key in pair for values in evaluations for pair in values.values())
    ]
    return {
        pair: {
            key: sum(values[pair][key] for values in evaluations) / len(evaluations) for key in keys
        }
        for pair in evaluations[0]
    }


def estimates_of(pairs: PairValues) -> dict[str, Estimate]:
    """Mean and interval of every metric."""
    contents, styles = zip(*pairs, strict=True)
    return {
        key: Estimate.of_pairs([values[key] for values in pairs.values()], contents, styles)
        for key in next(iter(pairs.values()))
    }


def differences(before: PairValues, after: PairValues) -> dict[str, Estimate]:
    """How much every metric grows from one network to another, pair by pair.

    Pictures differ more than networks do: the interval of the difference tells what the intervals
    of the two means cannot. Of a single content or style there is none: it would not tell what
    others give.
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
    """What a difference with its interval says: "gain", "loss", or "open" if 0 is inside.

    Without an interval it is open. Of a number that is best near 0 a difference alone does not tell
    gain from loss: "up" or "down".
    """
    low, high = difference.ci95 or (-math.inf, math.inf)
    if low <= 0 <= high or math.isnan(low):
        return "open"
    if column.better == "zero":
        return "up" if low > 0 else "down"
    return "gain" if (low > 0) == (column.better == "high") else "loss"


def differences_table(changes: Mapping[str, Mapping[str, Estimate]]) -> str:
    """A Markdown table with a row for each metric.

    Args:
        changes: From the title of a column to its :func:`differences`.
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
        for column in METRICS
        if all(column.key in change for change in changes.values())
    ]
    return aligned(rows)
