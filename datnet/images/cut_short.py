"""Image files that end too early, such as a photograph whose transfer was interrupted.

Viewers show such a file as far as it goes. Pillow does, too, if a global of the process says so,
which would count for training and for other threads as well. Here it is decided for each image.
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
"""The marker that ends a JPEG; where it comes too early, the decoder fills the rest with gray."""

SMALLEST_SHARE = 0.5
"""Below this share of its rows a picture is not stylized: most of it would be one flat color."""

GRAYS_OF_JPEG = (127, 128)


def is_cut_short(image: ImageFile.ImageFile, error: OSError) -> bool:
    """Whether decoding failed because the file ends too early, and what is decoded can be shown.

    An interlaced picture that ends too early has holes everywhere. WebP and AVIF give nothing at
    all until they are complete.
    """
    if error.errno is not None or "truncated" not in str(error):
        return False
    if image.format == "GIF" and image.tile:
        _bits, interlaced, *_ = cast(tuple[int, ...], image.tile[0].args)
        return not interlaced
    return not image.info.get("interlace")


def check_share(path: str | Path, image: Image.Image) -> None:
    """Warn that a picture is cut short.

    Args:
        path: What to call the file in messages.
        image: What is decoded of it, with gray (JPEG) or zeros in place of the rest.

    Raises:
        UnreadableImageError: If less than :data:`SMALLEST_SHARE` of the rows is there.
    """
    share = _decoded_rows(image) / image.height
    if share < SMALLEST_SHARE:
        raise UnreadableImageError(
            path,
            f"the file is cut short: only {share:.0%} of the picture is there; copy or download it "
            "again",
        )
    # Of a progressive JPEG all rows may be there, with less detail.
    missing = f"{1 - share:.0%} of the picture is missing" if share < 1 else "its end is missing"
    warnings.warn(
        DatNetWarning(f"{printable(path)} is cut short: {missing}; it is used as far as it goes"),
        stacklevel=2,
    )


def _decoded_rows(image: Image.Image) -> int:
    """Rows from the first to the last that are not filled in: of a BMP the first ones are missing.

    Rows that are as black as what is filled in, at the top or the bottom, are not counted.
    """
    if image.format in JPEG_FORMATS:
        last = image.getpixel((image.width - 1, image.height - 1))
        values = last if isinstance(last, tuple) else (last,)
        if any(value not in GRAYS_OF_JPEG for value in values):
            return image.height
        image = ImageChops.difference(image, Image.new(image.mode, image.size, last))
    box = image.getbbox(alpha_only=False)
    return box[3] - box[1] if box else 0
