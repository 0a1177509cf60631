"""The pictures of README: a gallery of a trained network, and what each control does.

    python -m experiments.gallery                          # the network that comes with DatNet
    python -m experiments.gallery --checkpoint NETWORK     # any other, such as microast
    python -m experiments.gallery --content DIR --style A.jpg B.jpg C.jpg D.jpg
        --output docs/pictures                            # those of README

Without pictures it paints the photographs and paintings of the embedded sample set, which may be
shown to anyone (``datnet/images/embedded.py`` says whose they are).
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
    """Draw all pictures."""
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
"""Rows of pictures and the titles of their columns."""


def squares(paths: Sequence[Path], count: int) -> list[Image.Image]:
    """The first pictures of files and folders."""
    files = [file for path in paths for file in (find_images(path) if path.is_dir() else [path])]
    return [fit_square(read_image(file), SIZE) for file in files[:count]]


def draw_gallery(
    stylizer: Stylizer, photographs: Sequence[Image.Image], paintings: Sequence[Image.Image]
) -> Picture:
    """Every photograph with every painting; paintings above, photographs at the left."""
    blank = Image.new("RGB", (SIZE, SIZE), "white")
    styles = [stylizer.encode_style(painting) for painting in paintings]
    rows = [
        [photograph, *(stylizer(photograph, style) for style in styles)]
        for photograph in photographs
    ]
    return [[blank, *paintings], *rows], [""] * (1 + len(paintings))


def draw_alpha(stylizer: Stylizer, photograph: Image.Image, painting: Image.Image) -> Picture:
    """Strength of the style."""
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
    """Two styles mixed."""
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
    """The ways to keep the photograph's colours."""
    return [
        [
            photograph,
            painting,
            stylizer(photograph, painting),
            stylizer(photograph, painting, keep_colors="luminance"),
            stylizer(photograph, painting, keep_colors="histogram"),
        ]
    ], ["content", "style", "colours of the style", "--keep-colors", "--keep-colors histogram"]


def draw_mask(
    stylizer: Stylizer, photograph: Image.Image, paintings: Sequence[Image.Image]
) -> Picture:
    """One style inside a mask, another one or none outside."""
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
    """Write a grid as JPEG, which keeps a README small."""
    png = path.with_suffix(".png")
    comparison_grid(rows, titles, path=png)
    save_image(read_image(png), path, quality=85)
    png.unlink()
    print(f"wrote {path}")


if __name__ == "__main__":
    run_command(main)
