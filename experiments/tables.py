"""Helpers of all tables: ranks, and the sentence about the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import rankdata, spearmanr

from datnet.evaluation.metrics import Column
from datnet.evaluation.summary import Estimate


def as_json(estimate: Estimate) -> dict[str, Any]:
    """Return mean and interval for JSON; null for infinity (PSNR of an image with itself)."""
    numbers = [estimate.mean, *(estimate.ci95 or ())]
    mean, *interval = [number if abs(number) < float("inf") else None for number in numbers]
    return {"mean": mean, "ci95": interval}


def order(column: Column, means: Sequence[float]) -> str:
    """Whether spatial < dual < full in quality.

    Args:
        column: The metric.
        means: Means of the three variants.

    Returns:
        "yes" or "no".
    """
    first, second, third = map(column.quality, means)
    return "yes" if first < second < third else "no"


def ranks(column: Column, means: Sequence[float]) -> list[float]:
    """Rank networks by one metric.

    Args:
        column: The metric.
        means: Means of the networks.

    Returns:
        Ranks, 1 for the best; ties share their mean rank.
    """
    return [float(rank) for rank in rankdata([-column.quality(mean) for mean in means])]


def rank_correlation(ours: Sequence[float], paper: Sequence[float]) -> float | None:
    """Compute Spearman's ρ of two rankings.

    Args:
        ours: Our ranks.
        paper: The paper's ranks.

    Returns:
        In [-1, 1]; None for fewer than three networks or if all ranks are equal.
    """
    if len(ours) < 3 or len(set(ours)) == 1 or len(set(paper)) == 1:
        return None
    return float(spearmanr(ours, paper).statistic)


def sentence_of_training(report: Mapping[str, Any]) -> str:
    """Return scale, encoder, data, steps, precision, recipe, seeds and commit in one line.

    Where networks differ, their values are listed in the order of the rows.
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
