"""What the published tables have in common: estimates over seeds, and their printing."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datnet.evaluation.metrics import METRICS, MetricColumn
from datnet.evaluation.summary import Estimate


def mean_over_seeds(folders: Sequence[Path]) -> dict[str, Estimate]:
    """Estimates of one variant: every pair's mean over the seeds, then mean and interval.

    Args:
        folders: Evaluations of the variant's networks on the same pairs, one per seed.
    """
    values: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for folder in folders:
        with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                values[row["content"], row["style"]].append(row)
    contents, styles = zip(*values, strict=True)
    return {
        column.key: Estimate.of_pairs(
            [sum(float(row[column.key]) for row in rows) / len(rows) for rows in values.values()],
            contents,
            styles,
        )
        for column in METRICS
    }


def as_json(estimate: Estimate) -> dict[str, Any]:
    """Mean and interval; null for infinity (PSNR of a picture with itself)."""
    numbers = [estimate.mean, *(estimate.ci95 or ())]
    mean, *interval = [number if abs(number) < float("inf") else None for number in numbers]
    return {"mean": mean, "ci95": interval}


def order(column: MetricColumn, means: Sequence[float]) -> str:
    """Whether spatial < dual < full in quality."""
    ascending = means if column.higher_is_better else [-mean for mean in means]
    return "yes" if ascending[0] < ascending[1] < ascending[2] else "no"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with columns padded to one width."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
