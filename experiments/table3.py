"""Table 3 of the paper, the ablation: spatial attention, + channel attention, + restoration loss.

    python -m experiments.table3                      # the networks in pretrained/
    python -m experiments.table3 --scale sample       # a miniature, minutes on two cores
    python -m experiments.table3 --scale paper --content COCO --style WIKIART
        --eval-content COCO50 --eval-style WIKIART20  # the paper's protocol, GPU-days

Trains missing networks, evaluates, and writes table3.md, table3.json and Figure 7. An interrupted
command continues when it is started again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from datnet import provenance
from datnet.errors import DatNetError
from datnet.evaluation.controls import CONTROLS
from datnet.evaluation.differences import (
    EXPLANATION,
    differences,
    differences_table,
    estimates_of,
)
from datnet.evaluation.markdown import aligned
from datnet.evaluation.metrics import METRICS
from datnet.evaluation.summary import (
    Estimate,
    format_number,
    summary_table,
)
from datnet.images.files import write_text
from datnet.zoo.configs import flat_values
from datnet.zoo.network_file import read_description
from experiments.comparison import Comparison, compare
from experiments.figures import draw_figure7
from experiments.networks import facts_of_training
from experiments.options import argument_parser, run
from experiments.paper import TABLE_3
from experiments.plan import plan_of
from experiments.tables import (
    as_json,
    order,
    sentence_of_training,
)

VARIANTS = ("datnet_spatial", "datnet_dual", "datnet_full")

ABLATED = ("network.channel_attention", "objective.content_restoration")
"""Settings in which the variants differ on purpose."""

WITHOUT_EFFECT = ("commit", "validation_loss", "data.licence", "data.num_workers")
"""Entries of a network's description on which the weights do not depend."""


def make_table(arguments: argparse.Namespace) -> None:
    """Train, evaluate, write and print.

    Raises:
        DatNetError: If folders or networks are missing or a training fails.
    """
    if arguments.models:
        raise DatNetError("Table 3 compares its three variants; leave --models out")
    comparison = compare(plan_of(arguments, VARIANTS))
    missing = [name for name in VARIANTS if name not in comparison.networks]
    if missing:
        raise DatNetError(f"Table 3 needs {' and '.join(missing)} too; train with another scale")
    values = {name: comparison.pair_values(name) for name in VARIANTS}
    variants = {name: estimates_of(pairs) for name, pairs in values.items()}
    changes = {
        f"{before} → {after}": differences(values[before], values[after])
        for before, after in pairwise(VARIANTS)
    }
    report = {
        "scale": comparison.plan.scale.name,
        **facts_of_training(comparison.networks),
        "unequal": unequal_settings(comparison.networks),
        "commit": provenance.commit(),
        "caveat": comparison.plan.scale.caveat,
        "protocol": comparison.summaries[0].protocol,
        "variants": {
            name: {key: as_json(estimate) for key, estimate in metrics.items()}
            for name, metrics in variants.items()
        },
        "changes": {
            name: {key: as_json(estimate) for key, estimate in metrics.items()}
            for name, metrics in changes.items()
        },
        "controls": {
            summary.description: {
                key: as_json(estimate) for key, estimate in summary.metrics.items()
            }
            for summary in comparison.summaries[: len(CONTROLS)]
        },
        "paper": {
            name: {key: {"mean": value} for key, value in metrics.items()}
            for name, metrics in TABLE_3.items()
        },
    }
    text = describe(report, variants, changes, comparison)
    write_text(comparison.plan.output / "table3.json", json.dumps(report, indent=2) + "\n")
    write_text(comparison.plan.output / "table3.md", text + "\n")
    draw_figure7(comparison)
    print(
        f"\n{text}\n\nWritten: table3.md, table3.json and figure7.png in {comparison.plan.output}"
    )


def unequal_settings(networks: Mapping[str, Sequence[Path]]) -> list[str]:
    """Return settings in which the trainings of the variants differ unintentionally.

    Args:
        networks: Files of the networks by variant, one per seed.
    """
    settings: dict[str, list[set[str]]] = {}
    for position, paths in enumerate(networks.values()):
        for path in paths:
            description = read_description(path)
            parts = {"network": description.network, "encoder": description.encoder}
            for name, value in flat_values(parts | description.training).items():
                seen = settings.setdefault(name, [set() for _ in networks])
                # A variant may continue a checkpoint of its own: DATNET_FULL/checkpoints/….
                seen[position].add(str(value).removeprefix(f"{description.name}/"))
    return [
        name
        for name, of_variants in settings.items()
        if name not in (*ABLATED, *WITHOUT_EFFECT)
        and not name.startswith("reconstruction.")  # measured, not set
        and any(values != of_variants[0] for values in of_variants)
    ]


def describe(
    report: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Estimate]],
    changes: Mapping[str, Mapping[str, Estimate]],
    comparison: Comparison,
) -> str:
    """Return the report as Markdown.

    Args:
        report: The content of table3.json.
        variants: Estimates by metric, by variant.
        changes: Differences by metric, by step of the ablation.
        comparison: The comparison.

    Returns:
        The text.
    """
    short = [name.removeprefix("datnet_") for name in VARIANTS]
    rows = [["", *short, *(f"paper {name}" for name in short), "difference", "order holds?"]]
    for column in METRICS:
        ours = [variants[name][column.key] for name in VARIANTS]
        paper = [TABLE_3[name].get(column.key) for name in VARIANTS]
        rows.append(
            [
                f"{column.label} {column.arrow}",
                *(format_number(estimate.mean, column.decimals) for estimate in ours),
                *("–" if value is None else f"{value:.{column.decimals}f}" for value in paper),
                " ".join(
                    f"{estimate.mean - value:+.{column.decimals}f}"
                    for estimate, value in zip(ours, paper, strict=True)
                    if value is not None
                )
                or "–",
                order(column, [estimate.mean for estimate in ours]),
            ]
        )
    warning = [
        "**NOT AN EQUAL COMPARISON: the trainings of the variants differ in "
        f"{', '.join(report['unequal']).replace('_', ' ')}. The effect of a step is not only that "
        "of the part that it adds.**",
        "",
    ]
    return "\n".join(
        [
            "# Table 3: the ablation",
            "",
            f"**{report['caveat']}**",
            "",
            *(warning if report["unequal"] else []),
            sentence_of_training(report),
            "",
            aligned(rows),
            "",
            "order holds: spatial < dual < full in quality, as in the paper. "
            "LPIPS of the paper is compared with AlexNet; the paper does not name its backbone.",
            "",
            "## What each step changes",
            "",
            EXPLANATION,
            "",
            differences_table(changes),
            "",
            "## Rows with intervals and controls",
            "",
            "Doing nothing is the best in all content metrics, and copying the style in style "
            "distance: read them together.",
            "",
            summary_table(comparison.summaries),
        ]
    )


if __name__ == "__main__":
    run(argument_parser("experiments.table3", __doc__), make_table)
