"""TIFF files that Pillow cannot read: floats, 32-bit integers, 16 bits in separate planes.

Raw converters, scanners and microscopes write them. tifffile reads them; it comes with
scikit-image and is imported only for such a file.
"""

from __future__ import annotations

import importlib.util
import logging
import math
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageFile

from datnet.errors import DatNetWarning
from datnet.images.errors import UnreadableImageError, printable

if TYPE_CHECKING:
    from tifffile import TiffPage

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""The first bytes of a TIFF and of a BigTIFF."""

MAX_BYTES_PER_PIXEL = 12
"""Three 32-bit floats; with more or wider samples, fewer pixels can be decoded."""

COMPRESSIONS = {1: "none", 8: "deflate", 32946: "deflate"}
"""Compressions that Python can decode; for others, tifffile needs the package imagecodecs."""

WHITE_IS_ZERO = 0
COLORS = {WHITE_IS_ZERO: 1, 1: 1, 2: 3, 5: 4}
"""Photometric interpretation (gray, RGB, CMYK) to the number of color samples per pixel."""

VALUES_AT_ONCE = 2**20
"""Values scaled at once; each takes eight bytes meanwhile."""


def is_tiff(beginning: bytes) -> bool:
    """Whether a file with these first bytes is a TIFF."""
    return beginning.startswith(MAGIC)


def needs_tifffile(image: ImageFile.ImageFile) -> bool:
    """Whether Pillow opens a file but decodes it wrongly: more than 8 bits in separate planes."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(ExifTags.Base.BitsPerSample, (8,))
    return (
        image.format == "TIFF"
        and tags.get(ExifTags.Base.PlanarConfiguration) == 2
        and len(bits) > 1
        and max(bits) > 8
    )


def read_tiff(path: str | Path, file: BinaryIO, max_pixels: int) -> Image.Image:
    """Decode the first page of a TIFF file.

    Integers are scaled by the largest value of their bit depth. Floats in color are clipped to
    [0, 1], with a :class:`DatNetWarning` if values lie outside.

    Args:
        path: Name of the file in messages.
        file: The open file.
        max_pixels: Most pixels to decode.

    Returns:
        An image of mode F (gray), LA, RGB, RGBA or CMYK, with the orientation in its EXIF data and
        the color profile and resolution in ``info``, as in Pillow.

    Raises:
        UnreadableImageError: If the file is of an unsupported kind or too large.
    """
    try:
        from tifffile import TiffFile
    except ImportError as error:
        raise UnreadableImageError(
            path, "this kind of TIFF is read by the package tifffile: pip install tifffile"
        ) from error
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # its messages about damaged files
    with TiffFile(file) as tiff:
        page = tiff.pages.first
        _check(path, page, max_pixels)
        values = page.asarray(maxworkers=1)
        image = _to_image(path, page, values)
        orientation = page.tags.valueof(ExifTags.Base.Orientation)
        if orientation is not None:
            image.getexif()[ExifTags.Base.Orientation] = int(orientation)
        if profile := page.tags.valueof(ExifTags.Base.InterColorProfile):
            image.info["icc_profile"] = bytes(profile)
        # 2 is the inch, 3 the centimeter.
        if to_inch := {2: 1, 3: 2.54}.get(int(page.resolutionunit)):
            image.info["dpi"] = tuple(side * to_inch for side in page.resolution)
    return image


def _check(path: str | Path, page: TiffPage, max_pixels: int) -> None:
    """Check that a page can be decoded, before decoding starts.

    Raises:
        UnreadableImageError: If it cannot.
    """
    width, height = page.imagewidth, page.imagelength
    if width < 1 or height < 1:
        raise UnreadableImageError(path, f"the image is empty ({width} x {height} pixels)")
    most_bytes = max(page.nbytes, _bytes_of_part(page))
    if width * height > max_pixels or most_bytes > max_pixels * MAX_BYTES_PER_PIXEL:
        raise UnreadableImageError(
            path,
            f"the image is too large: {width} x {height} pixels of {page.samplesperpixel} x "
            f"{page.bitspersample} bits (at most {max_pixels / 1e6:g} million of 3 x 32 bits can "
            "be decoded)",
        )
    kind = page.dtype.kind if page.dtype is not None else "?"
    colors = getattr(page.photometric, "name", f"color space {page.photometric}")
    compression = getattr(page.compression, "name", "")
    if (
        int(page.photometric) not in COLORS
        or kind not in "uf"
        or page.imagedepth != 1
        or page.samplesperpixel < COLORS[int(page.photometric)]
        or not compression
    ):
        what = {"i": "signed integers", "c": "complex numbers"}.get(kind, colors)
        raise UnreadableImageError(
            path,
            f"a TIFF of this kind ({what}, {page.samplesperpixel} x {page.bitspersample} bits) "
            "cannot be read; save it with 8 or 16 bits per channel, as RGB or gray",
        )
    needs_imagecodecs = int(page.compression) not in COMPRESSIONS or int(page.predictor) == 3
    if needs_imagecodecs and importlib.util.find_spec("imagecodecs") is None:
        predictor = " and predictor 3" if int(page.predictor) == 3 else ""
        raise UnreadableImageError(
            path,
            f"a TIFF of {page.bitspersample}-bit samples with compression {compression}{predictor} "
            "needs the package imagecodecs: pip install imagecodecs; or save it without "
            "compression",
        )
    if COMPRESSIONS.get(int(page.compression)) == "deflate":
        _check_segments(path, page)


def _bytes_of_part(page: TiffPage) -> int:
    """Size in bytes of a decoded strip or tile; a tile may exceed the picture."""
    return math.prod(page.chunks) * (page.dtype.itemsize if page.dtype is not None else 1)


def _check_segments(path: str | Path, page: TiffPage) -> None:
    """Check that no compressed part expands beyond its size in the picture.

    Raises:
        UnreadableImageError: If one does.
    """
    expected = _bytes_of_part(page)
    file = page.parent.filehandle
    for offset, size in zip(page.dataoffsets, page.databytecounts, strict=False):
        file.seek(offset)
        decompressor = zlib.decompressobj()
        decompressor.decompress(file.read(size), expected)
        if decompressor.decompress(decompressor.unconsumed_tail, 1):
            raise UnreadableImageError(path, "the image data is damaged: a part is too large")


def _to_image(path: str | Path, page: TiffPage, values: np.ndarray) -> Image.Image:
    """Scale decoded samples to 8 bits; gray becomes mode F, whose white level is found later."""
    if page.axes.startswith("S"):  # separate planes
        values = np.moveaxis(values, 0, -1)
    values = values.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)
    colors = COLORS[int(page.photometric)]
    # Premultiplied (1) or not (2); the meaning of other samples is unspecified.
    alpha = page.samplesperpixel > colors and int((*page.extrasamples, 0)[0]) in (1, 2)
    if not np.isfinite(values).all():
        raise ValueError("some pixels are not finite numbers")
    largest = 2.0**page.bitspersample - 1 if values.dtype.kind == "u" else 1.0
    if colors == 1 and not alpha:
        gray = values[..., 0].astype(np.float32)
        return Image.fromarray(largest - gray if page.photometric == WHITE_IS_ZERO else gray)
    values = values[..., : colors + alpha]
    if values.dtype.kind == "f" and not (values.min() >= 0 and values.max() <= 1):
        warnings.warn(
            DatNetWarning(
                f"{printable(path)} has values from {values.min():g} to {values.max():g}; they are "
                "clipped to 0 to 1"
            ),
            stacklevel=2,
        )
    result = np.empty(values.shape, np.uint8)
    rows = max(1, VALUES_AT_ONCE // (values.shape[1] * values.shape[2]))
    for top in range(0, len(values), rows):
        part = values[top : top + rows].astype(np.float64) / largest
        if alpha and int(page.extrasamples[0]) == 1:
            opacity = part[..., -1:]
            np.divide(part[..., :-1], opacity, out=part[..., :-1], where=opacity > 0)
        result[top : top + rows] = np.rint(part.clip(0, 1) * 255)
    if page.photometric == WHITE_IS_ZERO:
        result[..., 0] = 255 - result[..., 0]
    mode = {1: "LA", 3: "RGBA" if alpha else "RGB", 4: "CMYK"}[colors]
    if colors == 4:
        result = np.ascontiguousarray(result[..., :4])
    return Image.frombytes(mode, (page.imagewidth, page.imagelength), result.tobytes())
