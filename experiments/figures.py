"""Figures 5, 6 and 7 of the paper, from the evaluations of its tables, as PNG and PDF.

    python -m experiments.figures --figure 5                # results of all networks
    python -m experiments.figures --figure 6                # their edges
    python -m experiments.figures --figure 7                # results of the ablation
    python -m experiments.figures --figure 5 --scale sample       # as for experiments.table1

Row i shows content i with style i, so that many styles are shown. Below each image of Figure 6 is
the agreement of its edges with those of the content, 0 to 1. Missing trainings and evaluations are
run first.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from datnet.evaluation.differences import mean_pair_values
from datnet.evaluation.figures import comparison_grid
from datnet.evaluation.metrics.edges import canny_edges
from datnet.evaluation.pairs import Pair
from datnet.images.tensors import to_tensor
from experiments.comparison import Comparison, compare
from experiments.options import argument_parser, run
from experiments.paper import ALL_TITLES
from experiments.plan import plan_of

ABLATION = {"datnet_spatial": "spatial", "datnet_dual": "dual", "datnet_full": "full"}
ROWS = 4


def draw_figure5(comparison: Comparison) -> list[Path]:
    """Draw contents, styles and results of the networks of Table 1; return the files."""
    return _draw(comparison, "figure5", _result_rows(comparison, ALL_TITLES), ALL_TITLES)


def draw_figure6(comparison: Comparison) -> list[Path]:
    """Draw the Canny edges of the images of Figure 5, with their agreement; return the files."""
    pictures = [
        [draw_edges(picture) for picture in row] for row in _result_rows(comparison, ALL_TITLES)
    ]
    captions: list[list[str | None]] = [[None, None] for _ in comparison.rows(ROWS)]
    for model in _present(comparison, ALL_TITLES):
        agreements = edge_agreements(comparison, model)
        for row, pair in zip(captions, comparison.rows(ROWS), strict=True):
            row.append(f"{agreements[pair]:.2f}")
    return _draw(comparison, "figure6", pictures, ALL_TITLES, captions)


def draw_figure7(comparison: Comparison) -> list[Path]:
    """Draw contents, styles and results of the ablation; return the files."""
    return _draw(comparison, "figure7", _result_rows(comparison, ABLATION), ABLATION)


def draw_edges(picture: Image.Image) -> Image.Image:
    """Draw the Canny edges of an image, black on white."""
    return Image.fromarray(~canny_edges(to_tensor(picture))).convert("L")


def edge_agreements(comparison: Comparison, model: str) -> dict[Pair, float]:
    """Read the edge agreement of each pair for a model's first seed.

    Args:
        comparison: The comparison.
        model: Name of the model.

    Returns:
        Values in [0, 1] by pair.
    """
    evaluation = comparison.evaluations(model)[0]
    values = mean_pair_values([evaluation])
    with (evaluation / "pairs.csv").open(newline="", encoding="utf-8") as file:
        names = [(row["content"], row["style"]) for row in csv.DictReader(file)]
    return {
        pair: values[name]["edge_agreement"]
        for pair, name in zip(comparison.plan.pairs, names, strict=True)
    }


def _present(comparison: Comparison, titles: Mapping[str, str]) -> list[str]:
    return [model for model in titles if model in comparison.networks]


def _result_rows(comparison: Comparison, titles: Mapping[str, str]) -> list[list[Image.Image]]:
    """Return content, style and results, row by row."""
    return [
        [
            *map(comparison.picture, pair),
            *(comparison.result(model, pair) for model in _present(comparison, titles)),
        ]
        for pair in comparison.rows(ROWS)
    ]


def _draw(
    comparison: Comparison,
    name: str,
    rows: Sequence[Sequence[Image.Image]],
    titles: Mapping[str, str],
    captions: Sequence[Sequence[str | None]] | None = None,
) -> list[Path]:
    columns = ["content", "style", *(titles[model] for model in _present(comparison, titles))]
    files = [comparison.plan.output / f"{name}.{suffix}" for suffix in ("png", "pdf")]
    for path in files:
        comparison_grid(rows, columns, captions=captions, path=path)
    return files


FIGURES = {
    "5": (draw_figure5, tuple(ALL_TITLES)),
    "6": (draw_figure6, tuple(ALL_TITLES)),
    "7": (draw_figure7, tuple(ABLATION)),
}
"""The function that draws a figure, and the networks it needs."""


def make_figure(arguments: argparse.Namespace) -> None:
    """Run missing trainings and evaluations, then draw."""
    draw, models = FIGURES[arguments.figure]
    for path in draw(compare(plan_of(arguments, models))):
        print(f"wrote {path}")


if __name__ == "__main__":
    parser = argument_parser("experiments.figures", __doc__)
    parser.add_argument("--figure", choices=FIGURES, required=True)
    run(parser, make_figure)
