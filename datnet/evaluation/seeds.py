"""Trainings of one network with several seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from datnet.evaluation.differences import estimates_of, mean_pair_values
from datnet.evaluation.finished import FinishedEvaluation, open_evaluation
from datnet.evaluation.markdown import aligned
from datnet.evaluation.metrics import pair_metrics
from datnet.evaluation.summary import format_number

EXPLANATION = (
    "Networks that were trained alike with other seeds: the mean, ± the standard deviation over "
    "seeds, and in brackets the 95% bootstrap interval over contents and styles of the mean of the "
    "seeds. The deviation tells what another training would give on the same pictures, the "
    "interval what other pictures would give with the same trainings; neither includes the other."
)


def seed_groups(
    evaluations: Sequence[FinishedEvaluation],
) -> dict[str, list[FinishedEvaluation]]:
    """Group evaluations of networks that differ in nothing but the seed of their training.

    Args:
        evaluations: On the same pictures.

    Returns:
        By name of the network; only groups of at least two seeds. Networks of one name that were
        trained differently are groups of their own, and get the number of steps as well.
    """
    groups: dict[str, dict[int, FinishedEvaluation]] = {}
    for evaluation in evaluations:
        network = evaluation.network
        seed = network.get("training", {}).get("seed")
        if seed is None:
            continue
        training = network["training"]
        alike = json.dumps(
            [
                network["network"],
                network["encoder"],
                {key: training.get(key) for key in ("steps", "images_per_step")},
            ],
            sort_keys=True,
        )
        key = json.dumps([network["name"], training.get("steps"), alike])
        groups.setdefault(key, {})[seed] = evaluation
    found = {key: list(of.values()) for key, of in groups.items() if len(of) > 1}
    names = [json.loads(key)[0] for key in found]
    titles = {
        key: name if names.count(name) == 1 else f"{name} {json.loads(key)[1]} steps"
        for key, name in zip(found, names, strict=True)
    }
    return {titles[key]: of for key, of in found.items()}


def seeds_rows(groups: Mapping[str, Sequence[FinishedEvaluation]]) -> list[list[str]]:
    """Return the rows of a table with mean, deviation over seeds and interval over pictures.

    Args:
        groups: From :func:`seed_groups`.
    """
    by_name = {
        name: [mean_pair_values([each.folder]) for each in of] for name, of in groups.items()
    }
    columns = [
        column
        for column in pair_metrics()
        if all(column.key in next(iter(pairs.values())) for of in by_name.values() for pairs in of)
    ]
    rows = [["", *(f"{column.label} {column.arrow}" for column in columns)]]
    for name, evaluations in groups.items():
        estimates = estimates_of(mean_pair_values([each.folder for each in evaluations]))
        cells = []
        for column in columns:
            of_seeds = [
                fmean(values[column.key] for values in pairs.values()) for pairs in by_name[name]
            ]
            mean, deviation, low, high = (
                format_number(value, column.decimals)
                for value in (
                    fmean(of_seeds),
                    stdev(of_seeds),
                    *(estimates[column.key].ci95 or (float("nan"),) * 2),
                )
            )
            cells.append(f"{mean} ± {deviation} [{low}, {high}]")
        rows.append([f"{name}, {len(evaluations)} seeds", *cells])
    return rows


def seeds_table(folders: Sequence[Path]) -> str:
    """Return an explanation and a Markdown table of networks with several seeds.

    Args:
        folders: Evaluations on the same pictures.

    Returns:
        The text; empty if no network has several seeds.
    """
    groups = seed_groups([open_evaluation(folder) for folder in folders])
    return f"{EXPLANATION}\n\n{aligned(seeds_rows(groups))}" if groups else ""
