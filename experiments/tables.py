"""What the published tables have in common: estimates over seeds, and their printing."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scipy.stats import rankdata, spearmanr

from datnet.evaluation.metrics import METRICS, MetricColumn
from datnet.evaluation.summary import Estimate

Pairs = dict[tuple[str, str], dict[str, float]]
"""By content and style: the value of every metric."""


def pairs_over_seeds(folders: Sequence[Path]) -> Pairs:
    """Every pair's mean over the seeds.

    Args:
        folders: Evaluations of one variant's networks on the same pairs, one per seed.
    """
    values: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for folder in folders:
        with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                values[row["content"], row["style"]].append(row)
    return {
        pair: {
            column.key: sum(float(row[column.key]) for row in rows) / len(rows)
            for column in METRICS
        }
        for pair, rows in values.items()
    }


def estimates_of(pairs: Pairs) -> dict[str, Estimate]:
    """Mean and interval of every metric."""
    contents, styles = zip(*pairs, strict=True)
    return {
        column.key: Estimate.of_pairs(
            [metrics[column.key] for metrics in pairs.values()], contents, styles
        )
        for column in METRICS
    }


def differences(before: Pairs, after: Pairs) -> dict[str, Estimate]:
    """How much every metric grows from one variant to another, pair by pair.

    Pictures differ more than variants do: the interval of the difference tells what the intervals
    of the two means cannot. Of a single content or style there is none: it would not tell what
    others give.
    """
    changes = estimates_of(
        {
            pair: {key: value - before[pair][key] for key, value in metrics.items()}
            for pair, metrics in after.items()
        }
    )
    if min(len(set(names)) for names in zip(*after, strict=True)) > 1:
        return changes
    return {key: replace(change, ci95=None) for key, change in changes.items()}


def verdict(column: MetricColumn, difference: Estimate) -> str:
    """What a difference with its interval says: "gain", "loss", or "open" if 0 is inside.

    Without an interval it is open.
    """
    low, high = difference.ci95 or (-math.inf, math.inf)
    if low > 0 or high < 0:
        return "gain" if (low > 0) == column.higher_is_better else "loss"
    return "open"


def as_json(estimate: Estimate) -> dict[str, Any]:
    """Mean and interval; null for infinity (PSNR of a picture with itself)."""
    numbers = [estimate.mean, *(estimate.ci95 or ())]
    mean, *interval = [number if abs(number) < float("inf") else None for number in numbers]
    return {"mean": mean, "ci95": interval}


def order(column: MetricColumn, means: Sequence[float]) -> str:
    """Whether spatial < dual < full in quality."""
    ascending = means if column.higher_is_better else [-mean for mean in means]
    return "yes" if ascending[0] < ascending[1] < ascending[2] else "no"


def ranks(column: MetricColumn, means: Sequence[float]) -> list[float]:
    """Ranks of networks by one metric, 1 for the best; equal ones share the mean of theirs."""
    return [float(rank) for rank in rankdata([-m if column.higher_is_better else m for m in means])]


def rank_correlation(ours: Sequence[float], paper: Sequence[float]) -> float | None:
    """Spearman's ρ of two rankings; None where it has no meaning: few networks, or all equal."""
    if len(ours) < 3 or len(set(ours)) == 1 or len(set(paper)) == 1:
        return None
    return float(spearmanr(ours, paper).statistic)


def sentence_of_training(report: Mapping[str, Any]) -> str:
    """Scale, encoder, data, steps, precision, recipe, seeds and commit of a table in one line.

    Where networks differ, their values stand in the order of their rows.
    """
    recipes = report["recipe"] if isinstance(report["recipe"], list) else [report["recipe"]]
    described = "".join(f" · recipe: {recipe}" for recipe in dict.fromkeys(recipes) if recipe)
    facts = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in report.items()
    }
    return (
        f"Scale {facts['scale']} · encoder {facts['encoder']} · data {facts['data']} · "
        f"{facts['steps']} steps of {facts['images_per_step']} pairs · "
        f"precision {facts['precision']}{described} · "
        f"seeds {facts['seeds']} · commit {facts['commit']}"
    )
