"""Images for README: a gallery of results, and the effect of each option.

    python -m experiments.gallery                          # the network that comes with DatNet
    python -m experiments.gallery --checkpoint NETWORK     # any other, such as microast
    python -m experiments.gallery --content DIR --style A.jpg B.jpg C.jpg D.jpg
        --output docs/pictures                            # those of README

By default it uses the photographs and paintings of the embedded sample set, which may be published
(see ``datnet/images/embedded.py`` for credits).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from datnet import Stylizer
from datnet.commands.arguments import Parser, to_path
from datnet.commands.process import run_command
from datnet.errors import DatNetError
from datnet.evaluation.figures import comparison_grid
from datnet.images.embedded import sample_images
from datnet.images.finding import find_images
from datnet.images.reading import read_image
from datnet.images.resizing import fit_square
from datnet.images.saving import save_image

SIZE = 256
CONTENTS, STYLES = 4, 4


def main() -> None:
    """Draw all figures."""
    parser = Parser(
        "python -m experiments.gallery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--checkpoint", type=to_path, help="default: the network that comes with DatNet"
    )
    parser.add_argument(
        "--content", type=to_path, nargs="+", help="4 photographs or a folder (default: sample set)"
    )
    parser.add_argument(
        "--style", type=to_path, nargs="+", help="4 paintings or a folder (default: sample set)"
    )
    parser.add_argument(
        "--output",
        type=to_path,
        default=Path("runs/gallery"),
        help="folder of the pictures (default: runs/gallery)",
    )
    arguments = parser.parse_args()
    try:
        stylizer = Stylizer(arguments.checkpoint)
        photographs = squares(arguments.content or [sample_images().eval_content], CONTENTS)
        paintings = squares(arguments.style or [sample_images().eval_style], STYLES)
        pictures = {
            "gallery": draw_gallery(stylizer, photographs, paintings),
            "alpha": draw_alpha(stylizer, photographs[0], paintings[0]),
            "mix": draw_mix(stylizer, photographs[0], paintings[:2]),
            "colors": draw_colors(stylizer, photographs[1], paintings[0]),
            "mask": draw_mask(stylizer, photographs[1], paintings[:2]),
        }
        for name, (rows, titles) in pictures.items():
            write(rows, titles, arguments.output / f"{name}.jpg")
    except DatNetError as error:
        sys.exit(f"error: {error}")


Picture = tuple[list[list[Image.Image]], list[str]]
"""Rows of images and the titles of their columns."""


def squares(paths: Sequence[Path], count: int) -> list[Image.Image]:
    """Read the first images of files and folders.

    Args:
        paths: Files and folders.
        count: Number of images at most.

    Returns:
        Squares of ``SIZE`` pixels.
    """
    files = [file for path in paths for file in (find_images(path) if path.is_dir() else [path])]
    return [fit_square(read_image(file), SIZE) for file in files[:count]]


def draw_gallery(
    stylizer: Stylizer, photographs: Sequence[Image.Image], paintings: Sequence[Image.Image]
) -> Picture:
    """Stylize every photograph with every painting.

    Args:
        stylizer: The network.
        photographs: Shown at the left.
        paintings: Shown at the top.

    Returns:
        The figure.
    """
    blank = Image.new("RGB", (SIZE, SIZE), "white")
    styles = [stylizer.encode_style(painting) for painting in paintings]
    rows = [
        [photograph, *(stylizer(photograph, style) for style in styles)]
        for photograph in photographs
    ]
    return [[blank, *paintings], *rows], [""] * (1 + len(paintings))


def draw_alpha(stylizer: Stylizer, photograph: Image.Image, painting: Image.Image) -> Picture:
    """Vary the strength of the style.

    Args:
        stylizer: The network.
        photograph: The content.
        painting: The style.

    Returns:
        The figure.
    """
    alphas = (0, 0.25, 0.5, 0.75, 1)
    results = [stylizer(photograph, painting, alpha) for alpha in alphas]
    return [[photograph, painting, *results]], [
        "content",
        "style",
        *(f"alpha {alpha:g}" for alpha in alphas),
    ]


def draw_mix(
    stylizer: Stylizer, photograph: Image.Image, paintings: Sequence[Image.Image]
) -> Picture:
    """Mix two styles.

    Args:
        stylizer: The network.
        photograph: The content.
        paintings: The two styles.

    Returns:
        The figure.
    """
    shares = (0.9, 0.7, 0.5, 0.3, 0.1)
    results = [
        stylizer(photograph, paintings, weights=(share, round(1 - share, 1))) for share in shares
    ]
    first, second = paintings
    return [[first, *results, second]], [
        "style A",
        *(f"{share:g} A + {1 - share:.1f} B" for share in shares),
        "style B",
    ]


def draw_colors(stylizer: Stylizer, photograph: Image.Image, painting: Image.Image) -> Picture:
    """Show the ways to keep the photograph's colors.

    Args:
        stylizer: The network.
        photograph: The content.
        painting: The style.

    Returns:
        The figure.
    """
    return [
        [
            photograph,
            painting,
            stylizer(photograph, painting),
            stylizer(photograph, painting, keep_colors="luminance"),
            stylizer(photograph, painting, keep_colors="histogram"),
        ]
    ], ["content", "style", "colors of the style", "--keep-colors", "--keep-colors histogram"]


def draw_mask(
    stylizer: Stylizer, photograph: Image.Image, paintings: Sequence[Image.Image]
) -> Picture:
    """Apply one style inside a mask and another or none outside.

    Args:
        stylizer: The network.
        photograph: The content.
        paintings: The two styles.

    Returns:
        The figure.
    """
    mask = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(mask).ellipse([SIZE // 5, SIZE // 8, 4 * SIZE // 5, 7 * SIZE // 8], fill=255)
    return [
        [
            photograph,
            mask.convert("RGB"),
            stylizer(photograph, paintings[0], mask=mask),
            stylizer(photograph, paintings, mask=mask),
        ]
    ], ["content", "mask", "one style", "two styles"]


def write(rows: list[list[Image.Image]], titles: list[str], path: Path) -> None:
    """Write a grid as JPEG, which is small enough for a README.

    Args:
        rows: The images, row by row.
        titles: One per column.
        path: Output file.
    """
    png = path.with_suffix(".png")
    comparison_grid(rows, titles, path=png)
    save_image(read_image(png), path, quality=85)
    png.unlink()
    print(f"wrote {path}")


if __name__ == "__main__":
    run_command(main)
