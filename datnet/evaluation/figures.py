"""Labeled grids of images, as in papers on style transfer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from datnet.errors import DatNetError, require_extra
from datnet.images.files import complete_or_absent

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

# A power of two, so that sizes in inches are exact and pixels are not resampled.
DOTS_PER_INCH = 128
SMALLEST_FONT = 9
"""Smallest font size in pixels; titles that are still too long are cut short."""
LETTERS_ACROSS = 80
"""Width of a figure in font sizes: 80 give 6.3 points in print over two columns, 7 inches."""


def comparison_grid(
    rows: Sequence[Sequence[Image.Image]],
    column_titles: Sequence[str],
    row_titles: Sequence[str] | None = None,
    *,
    captions: Sequence[Sequence[str | None]] | None = None,
    path: Path,
) -> None:
    """Write a grid of images on white, with titles above the columns and beside the rows.

    Images are not resampled: a PNG has their pixels, and a PDF embeds them losslessly with titles
    as text. A column is as wide as its widest image and a row as high as its highest; smaller
    images are centered. Long titles get a smaller font and are finally cut short.

    Args:
        rows: The images, row by row; for example one row per content with the columns content,
            style, network A, network B, …
        column_titles: One per column.
        row_titles: One per row, written upwards at the left.
        captions: A line under each image; None for no line.
        path: Output file, ``.png`` or ``.pdf``. Missing parent folders are created.

    Raises:
        ValueError: If there are no images, or the numbers of images and titles differ.
        DatNetError: If the suffix is another one.
    """
    if not rows or not column_titles or any(len(row) != len(column_titles) for row in rows):
        raise ValueError(
            f"every row needs a picture for each of the {len(column_titles)} column titles; "
            f"the rows have {[len(row) for row in rows]} pictures"
        )
    if row_titles is not None and len(row_titles) != len(rows):
        raise ValueError(f"there are {len(rows)} rows and {len(row_titles)} row titles")
    if captions is not None and [len(row) for row in captions] != [len(row) for row in rows]:
        raise ValueError("every row needs a caption, which may be None, for each of its pictures")
    if path.suffix.lower() not in (".png", ".pdf"):
        raise DatNetError(f"{path}: a figure is written as .png or .pdf; change the suffix")
    require_extra("figures")

    widths = [max(picture.width for picture in column) for column in zip(*rows, strict=True)]
    heights = [max(picture.height for picture in row) for row in rows]
    gap = max(2, max(widths) // 64)
    font = max(12, max(widths) // 14, sum(widths) // LETTERS_ACROSS)
    title_band = round(1.8 * font)
    caption_band = round(1.5 * font) if captions else 0
    left = gap + (title_band if row_titles else 0)
    # Left edges of the columns and upper edges of the rows, in pixels from the upper left corner.
    xs = left + np.cumsum([0, *(width + gap for width in widths)])
    ys = title_band + np.cumsum([0, *(height + caption_band + gap for height in heights)])
    figure_width, figure_height = int(xs[-1]), int(ys[-1])

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(figure_width / DOTS_PER_INCH, figure_height / DOTS_PER_INCH),
        dpi=DOTS_PER_INCH,
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    for row, y, height in zip(rows, ys, heights, strict=False):
        for picture, x, width in zip(row, xs, widths, strict=False):
            free_x, free_y = (width - picture.width) // 2, (height - picture.height) // 2
            lower_edge = figure_height - (y + free_y + picture.height)
            axes = figure.add_axes(
                (
                    (x + free_x) / figure_width,
                    lower_edge / figure_height,
                    picture.width / figure_width,
                    picture.height / figure_height,
                )
            )
            axes.set_axis_off()
            axes.imshow(np.asarray(picture.convert("RGB")), interpolation="none", aspect="auto")
    for captions_of_row, y, height in zip(captions or (), ys, heights, strict=False):
        for caption, x, width in zip(captions_of_row, xs, widths, strict=False):
            text = _write(figure, caption or "", x + width / 2, y + height + caption_band / 2, font)
            _fit(text, font, width, horizontal=True)
    for title, x, width in zip(column_titles, xs, widths, strict=False):
        text = _write(figure, title, x + width / 2, title_band / 2, font)
        _fit(text, font, width, horizontal=True)
    for title, y, height in zip(row_titles or (), ys, heights, strict=False):
        text = _write(figure, title, gap + title_band / 2, y + height / 2, font)
        text.set_rotation(90)
        _fit(text, font, height, horizontal=False)

    path.parent.mkdir(parents=True, exist_ok=True)
    with complete_or_absent(path) as unfinished:
        figure.savefig(unfinished, format=path.suffix.lower()[1:], dpi=DOTS_PER_INCH)


def _write(figure: Figure, title: str, x: float, y: float, font: int) -> Text:
    """Write a title centered on a point, given in pixels from the upper left corner."""
    width, height = figure.get_size_inches() * DOTS_PER_INCH
    return figure.text(
        x / width,
        1 - y / height,
        title,
        family="DejaVu Sans",
        fontsize=_points(font),
        horizontalalignment="center",
        verticalalignment="center",
        parse_math=False,
    )


def _fit(text: Text, font: int, length: float, *, horizontal: bool) -> None:
    """Shrink a title, then cut it, until it is no longer than its images."""

    def extent() -> float:
        box = text.get_window_extent()
        return box.width if horizontal else box.height

    if extent() > length:
        text.set_fontsize(_points(max(SMALLEST_FONT, font * length / extent())))
    title = text.get_text()
    while extent() > length and len(title) > 1:
        title = title[:-1]
        text.set_text(f"{title}…")


def _points(pixels: float) -> float:
    """Convert pixels to Matplotlib's points, 72 per inch."""
    return pixels * 72 / DOTS_PER_INCH
