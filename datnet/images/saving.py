"""Write images to files atomically."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from datnet.errors import DatNetError
from datnet.images.errors import UnwritableFileError
from datnet.images.files import write_bytes
from datnet.images.formats import SAVING_FORMATS, SAVING_OPTIONS


def saving_format(path: str | Path) -> str:
    """Return Pillow's name of the format that a file name's suffix stands for.

    Raises:
        DatNetError: If images with this suffix cannot be written.
    """
    path = Path(path)
    image_format = SAVING_FORMATS.get(path.suffix.lower())
    if image_format is None:
        raise DatNetError(
            f"{path}: cannot write an image of type {path.suffix or '(none)'}."
            f" Use a name that ends in one of {', '.join(SAVING_FORMATS)}."
        )
    return image_format


def save_image(image: Image.Image, path: str | Path, **options: Any) -> None:
    """Write an image file; the suffix chooses the format.

    Missing parent folders are made. The file appears under its name once it is complete.

    Args:
        image: The image.
        path: Where to write it. An existing file is replaced.
        **options: Options of Pillow's writer of the format. JPEG and WebP have quality 95 by
            default.

    Raises:
        DatNetError: If the suffix is unknown or the image does not fit the format.
        UnwritableFileError: If the file cannot be written.
    """
    path = Path(path)
    image_format = saving_format(path)
    options = SAVING_OPTIONS.get(image_format, {}) | options
    encoded = io.BytesIO()
    try:
        image.save(encoded, image_format, **options)
    except (OSError, ValueError, RuntimeError) as error:  # too large for the format
        raise DatNetError(f"{path}: cannot write this image: {error}") from error
    try:
        write_bytes(path, encoded.getbuffer())
    except OSError as error:
        raise UnwritableFileError(
            f"{path}: cannot write this image: {error.strerror or error}"
        ) from error
