"""Decodes image files.

Every image that DatNet trains on, stylizes or measures is decoded here, so that hostile, damaged
and unusual files are treated in the same way:

* EXIF orientation is applied.
* Transparency is composited over white.
* 16-bit, 32-bit and floating-point gray is scaled to 8 bits, never clipped. CMYK, palette and gray
  images become RGB.
* Values are taken as sRGB; embedded color profiles are ignored. :mod:`datnet.images.pictures`,
  which reads pictures to stylize, applies them and keeps transparency.
* Pillow keeps the upper 8 of 16 bits per channel in color. TIFF files that Pillow does not support
  are read by :mod:`datnet.images.tiff`.
* The first frame of an animation is used.
* A file that cannot be decoded raises :class:`UnreadableImageError`, whatever is wrong with it. So
  does a truncated file, unless the caller accepts the part that exists, see
  :mod:`datnet.images.cut_short`.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from PIL import Image, ImageFile, UnidentifiedImageError

from datnet.images.cut_short import END_OF_JPEG, check_share, is_cut_short
from datnet.images.errors import UnreadableImageError
from datnet.images.formats import (
    FORMAT_NAMES,
    JPEG_FORMATS,
    RAW_SUFFIXES,
    suffix_of,
    why_unreadable,
)
from datnet.images.tiff import is_tiff, needs_tifffile, read_tiff
from datnet.images.upright import EXTENT, upright_rgb

_size_limit_lock = threading.Lock()

Result = TypeVar("Result")


def read_image(
    path: str | Path,
    *,
    content: bytes | None = None,
    at_least: int | None = None,
    max_pixels: int = 180_000_000,
) -> Image.Image:
    """Decode an image file to upright 8-bit RGB, as the top of this file describes.

    Args:
        path: The file.
        content: The bytes of the file, if they come from an archive or another machine; ``path``
            is then its name in messages. ``None`` reads the file.
        at_least: The shorter side, in pixels, that the caller needs. A JPEG is then decoded at
            1/2, 1/4 or 1/8 of its size, as small as this allows, which is several times faster.
            ``None`` decodes every file at full size.
        max_pixels: Most pixels to decode. A small file can claim billions of pixels; it is refused
            before anything is decoded. ``at_least`` makes larger JPEGs readable, except progressive
            ones, whose decoder holds the full size anyway.

    Returns:
        An image of mode RGB without metadata except :data:`EXTENT`.

    Raises:
        UnreadableImageError: If the file is missing, not an image, damaged or too large.
        ValueError: If ``at_least`` is below 1.
    """
    return decode(path, upright_rgb, content=content, at_least=at_least, max_pixels=max_pixels)


def decode(
    path: str | Path,
    convert: Callable[[Image.Image], Result],
    *,
    content: bytes | None = None,
    at_least: int | None = None,
    max_pixels: int = 180_000_000,
    cut_short: bool = False,
) -> Result:
    """Decode an image file and convert it, see :func:`read_image`.

    Args:
        path: The file.
        convert: Converts the decoded image, as stored, with its metadata. Its exceptions count as
            damage of the file.
        content: As for :func:`read_image`.
        at_least: As for :func:`read_image`.
        max_pixels: As for :func:`read_image`.
        cut_short: Whether a truncated file is decoded as far as it goes, with a
            :class:`~datnet.errors.DatNetWarning`. The missing part is gray or black.

    Returns:
        What ``convert`` returns.

    Raises:
        UnreadableImageError: If the file is missing, not an image, damaged or too large.
        ValueError: If ``at_least`` is below 1.
    """
    if at_least is not None and at_least < 1:
        raise ValueError(f"at_least must be 1 or more pixels, not {at_least}")
    try:
        if content is None:
            path = Path(path)
            _check_is_file(path)
        elif not content:
            raise UnreadableImageError(path, "the file is empty")
        try:
            return _decode(path, content, convert, at_least, max_pixels, cut_short)
        except UnidentifiedImageError:
            with _binary(path, content) as file:
                if suffix_of(str(path)) in RAW_SUFFIXES or not is_tiff(file.read(4)):
                    raise
                file.seek(0)
                return convert(read_tiff(path, file, max_pixels))
    except UnreadableImageError:
        raise
    except Exception as error:  # hostile data makes Pillow raise almost any exception
        raise UnreadableImageError(path, _reason(path, error)) from error


def _decode(
    path: str | Path,
    content: bytes | None,
    convert: Callable[[Image.Image], Result],
    at_least: int | None,
    max_pixels: int,
    cut_short: bool,
) -> Result:
    with _opened(path if content is None else io.BytesIO(content)) as image:
        if needs_tifffile(image):
            raise UnidentifiedImageError
        _check_and_reduce_size(path, image, at_least, max_pixels)
        if image.format == "TIFF" and suffix_of(str(path)) in RAW_SUFFIXES:
            raise UnidentifiedImageError  # its first page is a thumbnail
        try:
            image.load()
        except OSError as error:
            if not (cut_short and is_cut_short(image, error)):
                raise
        else:
            return convert(image)
        if image.format not in JPEG_FORMATS:
            image.tile = []  # Pillow then takes the decoded part for the whole image
            check_share(path, image)
            return convert(image)
    whole = Path(path).read_bytes() if content is None else content
    with _opened(io.BytesIO(whole + END_OF_JPEG)) as image:
        _check_and_reduce_size(path, image, at_least, max_pixels)
        image.load()
        check_share(path, image)
        return convert(image)


@contextmanager
def _binary(path: str | Path, content: bytes | None) -> Iterator[BinaryIO]:
    with Path(path).open("rb") if content is None else io.BytesIO(content) as file:
        yield file


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise UnreadableImageError(path, "this is a folder, not an image file")
    if not path.exists():
        raise UnreadableImageError(path, "there is no such file")
    if not path.is_file():  # opening a named pipe would block
        raise UnreadableImageError(path, "this is not a regular file")
    if path.stat().st_size == 0:
        raise UnreadableImageError(path, "the file is empty")


@contextmanager
def _opened(source: str | Path | io.BytesIO) -> Iterator[ImageFile.ImageFile]:
    """Open an image in one of :data:`FORMAT_NAMES`; the caller must check its size."""
    # Pillow's own limit would refuse a large JPEG that is to be decoded at 1/8 of its size. It is
    # global to the process, so it is lifted only while the header is read.
    with _size_limit_lock:
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            image = Image.open(source, formats=FORMAT_NAMES)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


def _check_and_reduce_size(
    path: str | Path, image: ImageFile.ImageFile, at_least: int | None, max_pixels: int
) -> None:
    width, height = held_width, held_height = image.size
    if at_least is not None and image.format in JPEG_FORMATS:
        drafted = image.draft(None, (at_least, at_least))
        if drafted is not None:
            image.info[EXTENT] = drafted[1][2:]
        # The decoder holds all coefficients of a progressive JPEG, however small the result.
        if not image.info.get("progressive"):
            held_width, held_height = image.size
    if width < 1 or height < 1:
        raise UnreadableImageError(path, f"the image is empty ({width} x {height} pixels)")
    if held_width * held_height > max_pixels:
        raise UnreadableImageError(
            path,
            f"the image is too large: {width} x {height} pixels"
            f" (at most {max_pixels / 1e6:g} million can be decoded)",
        )


def _reason(path: str | Path, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return (
            why_unreadable(str(path))
            or f"this is not an image in a known format ({', '.join(FORMAT_NAMES)})"
        )
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode the image"
    if isinstance(error, OSError) and error.strerror:
        return f"the file cannot be read: {error.strerror}"
    words = " ".join(str(error).split())  # libheif's end with a line break
    return f"the image data is damaged: {words or type(error).__name__}"
