"""Truncated image files, such as a photograph whose transfer was interrupted.

Viewers show such a file as far as it goes. Pillow can do so too, but only by a global setting of
the process, which would also affect training and other threads. Here it is decided per image.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import cast

from PIL import Image, ImageChops, ImageFile

from datnet.errors import DatNetWarning
from datnet.images.errors import UnreadableImageError, printable
from datnet.images.formats import JPEG_FORMATS

END_OF_JPEG = b"\xff\xd9"
"""The marker that ends a JPEG. If it comes too early, the decoder fills the rest with gray."""

SMALLEST_SHARE = 0.5
"""Pictures with a smaller share of their rows are refused: most of them would be one flat color."""

GRAYS_OF_JPEG = (127, 128)


def is_cut_short(image: ImageFile.ImageFile, error: OSError) -> bool:
    """Whether decoding failed because the file is truncated, and the decoded part can be shown.

    A truncated interlaced image has holes everywhere. WebP and AVIF decode nothing until they are
    complete.

    Args:
        image: The image whose decoding failed.
        error: The error that its ``load`` raised.

    Returns:
        True if the rows decoded so far can be used.
    """
    if error.errno is not None or "truncated" not in str(error):
        return False
    if image.format == "GIF" and image.tile:
        _bits, interlaced, *_ = cast(tuple[int, ...], image.tile[0].args)
        return not interlaced
    return not image.info.get("interlace")


def check_share(path: str | Path, image: Image.Image) -> None:
    """Warn that a picture is cut short, or refuse it if too much is missing.

    Args:
        path: Name of the file in messages.
        image: The decoded image, gray (JPEG) or zero where the file has no data.

    Raises:
        UnreadableImageError: If less than :data:`SMALLEST_SHARE` of the rows was decoded.
    """
    share = _decoded_rows(image) / image.height
    if share < SMALLEST_SHARE:
        raise UnreadableImageError(
            path,
            f"the file is cut short: only {share:.0%} of the picture is there; copy or download it "
            "again",
        )
    # A truncated progressive JPEG may have all rows, with less detail.
    missing = f"{1 - share:.0%} of the picture is missing" if share < 1 else "its end is missing"
    warnings.warn(
        DatNetWarning(f"{printable(path)} is cut short: {missing}; it is used as far as it goes"),
        stacklevel=2,
    )


def _decoded_rows(image: Image.Image) -> int:
    """Number of rows from the first to the last decoded one; a BMP lacks its first rows.

    Rows at the top or the bottom that equal the filling are not counted.
    """
    if image.format in JPEG_FORMATS:
        last = image.getpixel((image.width - 1, image.height - 1))
        values = last if isinstance(last, tuple) else (last,)
        if any(value not in GRAYS_OF_JPEG for value in values):
            return image.height
        image = ImageChops.difference(image, Image.new(image.mode, image.size, last))
    box = image.getbbox(alpha_only=False)
    return box[3] - box[1] if box else 0
