"""Table 1 of the paper: DatNet, six other networks and more, measured under one protocol.

    python -m experiments.table1                      # the networks in pretrained/, and the
                                                      # weights that MicroAST's authors publish
    python -m experiments.table1 --scale sample       # a miniature, half an hour on two cores
    python -m experiments.table1 --scale paper --content COCO --style WIKIART
        --eval-content COCO50 --eval-style WIKIART20  # the paper's protocol, GPU-days

Trains missing networks, evaluates, and writes table1.md, table1.json and Figures 5 and 6. An
interrupted command continues when it is started again.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datnet import provenance
from datnet.evaluation.candidates import Candidate, of_few_steps
from datnet.evaluation.controls import CONTROLS
from datnet.evaluation.efficiency import multiply_adds
from datnet.evaluation.markdown import aligned
from datnet.evaluation.metrics import METRICS, Column
from datnet.evaluation.summary import Estimate, format_number, summary_table
from datnet.images.files import write_text
from datnet.zoo.network_file import read_description
from datnet.zoo.parameters import parameters
from datnet.zoo.training_free import takes_steps
from experiments.comparison import Comparison, compare
from experiments.figures import draw_figure5, draw_figure6
from experiments.networks import facts_of_training
from experiments.options import argument_parser, run
from experiments.paper import ALL_TITLES, OTHERS, TABLE_1, TABLE_2, TITLES
from experiments.plan import plan_of
from experiments.tables import as_json, rank_correlation, ranks, sentence_of_training

COLUMNS = [column for column in METRICS if column.key in TABLE_1["datnet_full"]]
"""The metrics in the paper's table."""


def make_table(arguments: argparse.Namespace) -> None:
    """Train, evaluate, write and print.

    Raises:
        DatNetError: If folders or networks are missing or a training fails.
    """
    comparison = compare(plan_of(arguments, list(ALL_TITLES)))
    networks = {model: comparison.estimates(model) for model in comparison.networks}
    rankings = {column.key: ranking(column, networks) for column in COLUMNS}
    efficiency = {
        model: measure_efficiency(comparison.networks[model][0])
        for model in ALL_TITLES
        if model in networks
    }
    report = {
        "scale": comparison.plan.scale.name,
        **facts_of_training(comparison.networks),
        "commit": provenance.commit(),
        "caveat": comparison.plan.scale.caveat,
        "protocol": comparison.summaries[0].protocol,
        "networks": {
            model: {key: as_json(estimate) for key, estimate in metrics.items()}
            for model, metrics in networks.items()
        },
        "controls": {
            summary.description: {
                key: as_json(estimate) for key, estimate in summary.metrics.items()
            }
            for summary in comparison.summaries[: len(CONTROLS)]
        },
        "rankings": rankings,
        "efficiency": efficiency,
        "paper": {
            model: {key: {"mean": value} for key, value in metrics.items()}
            for model, metrics in TABLE_1.items()
        },
        "paper_efficiency": TABLE_2,
    }
    text = describe(report, networks, comparison)
    write_text(comparison.plan.output / "table1.json", json.dumps(report, indent=2) + "\n")
    write_text(comparison.plan.output / "table1.md", text + "\n")
    draw_figure5(comparison)
    draw_figure6(comparison)
    print(
        f"\n{text}\n\nWritten: table1.md, table1.json, figure5 and figure6 (.png, .pdf) in "
        f"{comparison.plan.output}"
    )


def ranking(column: Column, networks: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Any]:
    """Compare our ranks with the paper's, among the networks that we have.

    Networks with undefined metrics have no rank.

    Args:
        column: The metric.
        networks: Estimates by metric, by model.

    Returns:
        "ours" and "paper": ranks by model, 1 for the best; "spearman": their correlation or None.
    """
    models = [
        model
        for model in TITLES
        if model in networks and not math.isnan(networks[model][column.key].mean)
    ]
    ours = ranks(column, [networks[model][column.key].mean for model in models])
    paper = ranks(column, [TABLE_1[model][column.key] for model in models])
    return {
        "ours": dict(zip(models, ours, strict=True)),
        "paper": dict(zip(models, paper, strict=True)),
        "spearman": rank_correlation(ours, paper),
    }


def measure_efficiency(network_file: Path) -> dict[str, float]:
    """Count millions of parameters and billions of multiply-adds at 256 × 256, with VGG-19.

    For a method that optimizes pixels, only a few steps are counted; "steps" gives their number.
    """
    description = read_description(network_file)
    candidate = of_few_steps(Candidate(description.name, description.network, "vgg19"))
    network = candidate.build()
    counts = parameters(network)
    steps = {"steps": candidate.network["steps"]} if takes_steps(candidate.network) else {}
    return {
        **steps,
        "parameters": counts.total / 1e6,
        "trainable": counts.trainable / 1e6,
        "multiply_adds": multiply_adds(network, 256, 256) / 1e9,
    }


def describe(
    report: Mapping[str, Any],
    networks: Mapping[str, Mapping[str, Estimate]],
    comparison: Comparison,
) -> str:
    """Return the report as Markdown.

    Args:
        report: The content of table1.json.
        networks: Estimates by metric, by model.
        comparison: The comparison.

    Returns:
        The text.
    """
    return "\n".join(
        [
            "# Table 1: the networks compared",
            "",
            f"**{report['caveat']}**",
            "",
            sentence_of_training(report),
            "",
            aligned(comparison_rows(report, networks)),
            "",
            "Ranks are in brackets, among the paper's networks that have a row of ours; the last "
            f"{len(OTHERS)} rows are not in the paper. WCT's decoders are fitted in closed form "
            "and Gatys' pixels optimized, so neither is trained. "
            "ρ is Spearman's correlation of the two rankings. LPIPS of the paper is compared with "
            "AlexNet; the paper does not name its backbone, nor which of ArtFlow's transfers it "
            "used (ours: AdaIN).",
            "",
            "## Size, compared with Table 2",
            "",
            aligned(efficiency_rows(report["efficiency"])),
            "",
            "With VGG-19, as in the paper, whatever the encoder of the training. M: millions of "
            "parameters, including the parts of the frozen encoder that are used. G: billions of "
            "multiply-adds (MACs) for one image at 256 × 256, attention included.",
            "",
            "## Rows with intervals and controls",
            "",
            "SSIM, PSNR and LPIPS reward doing nothing: `identity` is the best in them without any "
            "style, and `style copy` in style distance. `histogram match` only changes colors. A "
            "method is good if it does well in both.",
            "",
            summary_table(comparison.summaries),
        ]
    )


def comparison_rows(
    report: Mapping[str, Any], networks: Mapping[str, Mapping[str, Estimate]]
) -> list[list[str]]:
    """Return a row per network with our and the paper's values, and ranks among the paper's.

    Args:
        report: The content of table1.json.
        networks: Estimates by metric, by model.

    Returns:
        The header and the rows.
    """
    header = [""]
    for column in COLUMNS:
        header += [f"{column.label} {column.arrow}", "paper"]
    rows = [header]
    for model, title in ALL_TITLES.items():
        row = [title]
        for column in COLUMNS:
            ranking_of = report["rankings"][column.key]
            ours = published = "–"
            if model in TABLE_1:
                published = f"{TABLE_1[model][column.key]:.{column.decimals}f}"
            if model in networks:
                ours = format_number(networks[model][column.key].mean, column.decimals)
            if model in ranking_of["ours"]:
                ours += f" ({ranking_of['ours'][model]:g})"
                published += f" ({ranking_of['paper'][model]:g})"
            row += [ours, published]
        rows.append(row)
    last = ["ρ with the paper"]
    for column in COLUMNS:
        correlation = report["rankings"][column.key]["spearman"]
        last += ["–" if correlation is None else f"{correlation:+.2f}", ""]
    return [*rows, last]


def efficiency_rows(efficiency: Mapping[str, Mapping[str, float]]) -> Sequence[Sequence[str]]:
    """Return a row per network: parameters and multiply-adds, ours and the paper's."""
    rows = [["", "Params (M)", "Trainable (M)", "paper", "MACs (G)", "paper"]]
    for model, title in ALL_TITLES.items():
        paper = ["–"] * 2
        if model in TABLE_2:
            paper = [f"{TABLE_2[model][key]:.2f}" for key in ("parameters", "multiply_adds")]
        if "steps" in efficiency.get(model, {}):
            title += f", {efficiency[model]['steps']} steps"
        if model in efficiency:
            ours = [
                f"{efficiency[model][key]:.2f}"
                for key in ("parameters", "trainable", "multiply_adds")
            ]
        else:
            ours = ["–"] * 3
        rows.append([title, *ours[:2], paper[0], ours[2], paper[1]])
    return rows


if __name__ == "__main__":
    run(argument_parser("experiments.table1", __doc__), make_table)
