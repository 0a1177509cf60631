"""What the variants of the ablation look at, for the same points: pictures and numbers.

    python -m experiments.attention_figure                  # docs/pictures/attention*.jpg, table

One picture shows attention maps of each variant at two points of a photograph, the other the
correspondence maps of each. The table has, over all pairs of the embedded evaluation pictures, the
effective number of style positions per query: 2 to the power of the entropy.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from datnet import Stylizer
from datnet.commands.arguments import to_path
from datnet.commands.attention import attention_panels
from datnet.commands.process import run_command
from datnet.evaluation.figures import comparison_grid
from datnet.images.embedded import sample_images
from datnet.images.finding import find_images
from datnet.images.reading import read_image
from datnet.images.saving import save_image
from datnet.stylize.attention import Attention
from datnet.stylize.attention_pictures import correspondence_map, legend

VARIANTS = {"datnet_spatial": "spatial", "datnet_dual": "dual", "datnet_full": "full"}
PHOTOGRAPH, PAINTING = "coffee.webp", "cubism-101.webp"
POINTS = [(0.30, 0.30), (0.62, 0.55)]
"""Fractions of width and height: table and cup."""
SIZE = 256


def main() -> None:
    """Write the pictures and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=to_path, default=Path("docs/pictures"))
    parser.add_argument("--size", type=int, default=SIZE, help="shorter side of all pictures")
    arguments = parser.parse_args()
    images = sample_images()
    pair = images.eval_content / PHOTOGRAPH, images.eval_style / PAINTING
    stylizers = {title: Stylizer(name, "cpu") for name, title in VARIANTS.items()}
    shown = {
        title: each.attention(*pair, arguments.size, arguments.size)
        for title, each in stylizers.items()
    }
    write(arguments.output / "attention.jpg", **points_figure(shown))
    write(arguments.output / "correspondence.jpg", **correspondence_figure(shown))
    pairs = list(product(find_images(images.eval_content), find_images(images.eval_style)))
    print(f"{len(pairs)} pairs, shorter side {arguments.size}: effective style positions per query")
    for title, stylizer in stylizers.items():
        found = [
            [2 ** level.correspondence().entropy for level in attention.levels]
            for attention in (
                stylizer.attention(*each, arguments.size, arguments.size) for each in pairs
            )
        ]
        for index, level in enumerate(shown[title].levels):
            counts = np.concatenate([each[index].ravel() for each in found])
            quarter, median, most = np.percentile(counts, [25, 50, 90])
            print(
                f"{title:8} {level.name}: median {median:.2f}, quarter {quarter:.2f}, "
                f"90 % below {most:.1f}"
            )


def points_figure(shown: dict[str, Attention]) -> dict:
    """Arguments of comparison_grid: a row per variant and point."""
    panels = {title: attention_panels(attention, POINTS) for title, attention in shown.items()}
    return {
        "rows": [row for each in panels.values() for row in each["rows"]],
        "column_titles": next(iter(panels.values()))["column_titles"],
        "row_titles": [
            f"{title}, {point}" for title, each in panels.items() for point in each["row_titles"]
        ],
        "captions": [notes for each in panels.values() for notes in each["captions"]],
    }


def correspondence_figure(shown: dict[str, Attention]) -> dict:
    """Arguments of comparison_grid: a row per variant, a correspondence map per level."""
    rows = []
    for attention in shown.values():
        maps = [
            correspondence_map(attention.photograph, level, level.correspondence())
            for level in attention.levels
        ]
        rows.append([legend(attention.painting), *maps, attention.result])
    names = [level.name for level in next(iter(shown.values())).levels]
    return {
        "rows": rows,
        "column_titles": ["painting, by position", *names, "result"],
        "row_titles": list(shown),
    }


def write(
    path: Path,
    rows: list[list[Image.Image]],
    column_titles: list[str],
    row_titles: list[str],
    captions: list[list[str | None]] | None = None,
) -> None:
    """Write a grid as JPEG, which is small enough for a page of documentation."""
    png = path.with_suffix(".png")
    comparison_grid(rows, column_titles, row_titles, captions=captions, path=png)
    save_image(read_image(png), path, quality=85)
    png.unlink()
    print(f"wrote {path}")


if __name__ == "__main__":
    run_command(main)
