"""Reads and writes the pictures of `datnet stylize`, with more care than training needs.

:mod:`datnet.images.reading` decodes the files. In addition:

* An embedded color profile is applied: pictures become sRGB, which the networks are trained on.
  A result is converted back to its content's profile, if that is one for RGB, and carries it.
  Programs with and without color management then show it as they show the content.
* Transparency is kept. Colors of partly transparent pixels are unchanged, so that nothing shines
  through later; fully transparent pixels become white.
* The resolution (DPI) of a content image is kept in its result.
* Other metadata (camera, place, time, thumbnail) is dropped: it describes the photograph, and a
  result that is passed on must not reveal where somebody lives. Results are upright.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin

from datnet.errors import DatNetError
from datnet.images.reading import decode
from datnet.images.saving import save_image, saving_format
from datnet.images.upright import over, to_eight_bits, turn_to_upright, upright_rgb

TRANSPARENT_FORMATS = ("PNG", "WEBP", "TIFF", "AVIF")
PROFILE_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "AVIF")
DPI_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
QUALITY_FORMATS = ("JPEG", "WEBP", "AVIF")

SETTINGS = "datnet"
"""Key of the settings in a PNG."""

GRAY_MODES = ("1", "L", "LA", "La", "I", "I;16", "F")

SIDEWAYS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


@dataclass(frozen=True)
class Origin:
    """Metadata of a content file that its results keep.

    Attributes:
        icc_profile: Its color profile, if that is a valid one for RGB.
        dpi: Its horizontal and vertical resolution, in pixels per inch.
    """

    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None


def read_picture(path: str | Path, *, at_least: int | None = None) -> tuple[Image.Image, Origin]:
    """Decode an image file to upright 8-bit sRGB.

    Args:
        path: The file.
        at_least: The shorter side that is needed, see :func:`datnet.images.reading.read_image`.

    Returns:
        An image without metadata, of mode RGB, or RGBA if a pixel is transparent; and the metadata
        to keep.

    Raises:
        UnreadableImageError: If the file is missing, not an image, damaged or too large. A
            truncated file is read as far as it goes, with a warning.
    """
    return decode(path, to_picture, at_least=at_least, cut_short=True)


def read_mask(path: str | Path) -> Image.Image:
    """Decode an image file to a mask of mode L.

    Raises:
        UnreadableImageError: If the file is missing, not an image, damaged or too large.
    """
    return decode(path, to_mask)


def to_picture(image: Image.Image) -> tuple[Image.Image, Origin]:
    """Convert a decoded image, as stored, to upright sRGB, see :func:`read_picture`."""
    turn = turn_to_upright(image)
    dpi = _sound_dpi(image.info.get("dpi"))
    if dpi is not None and turn in SIDEWAYS:
        dpi = dpi[::-1]
    icc_profile = image.info.get("icc_profile")
    is_gray = image.mode in GRAY_MODES
    if image.mode.startswith(("I", "F")):
        image = to_eight_bits(image)
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        if alpha.getextrema() == (255, 255):
            alpha = None
        else:
            seen = alpha.point(lambda opacity: 255 if opacity else 0)
            image.putalpha(seen)
            image = over(image, "white")
    result, icc_profile = _to_srgb(image.convert("L") if is_gray else image, icc_profile)
    if alpha is not None:
        result.putalpha(alpha)
    if turn is not None:
        result = result.transpose(turn)
    result.info = {}
    return result, Origin(icc_profile, dpi)


def to_mask(image: Image.Image) -> Image.Image:
    """Convert a decoded image to an upright mask of mode L; transparent parts become black."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        over_black = over(image, "black")
        over_black.info = image.info  # holds the orientation
        image = over_black
    return upright_rgb(image).convert("L")


def _to_srgb(image: Image.Image, icc_profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """Convert to sRGB by a profile; return the profile too if results can carry it."""
    if not icc_profile:
        return image.convert("RGB"), None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
        space = profile.profile.xcolor_space.strip()
        if space == "RGB" and image.mode != "CMYK":
            image = image.convert("RGB")
        srgb = ImageCms.createProfile("sRGB")
        result = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        # Damaged, or of another kind of picture: viewers also ignore such a profile.
        return image.convert("RGB"), None
    assert result is not None  # profileToProfile returns None only if it works in place
    return result, icc_profile if space == "RGB" and _can_be_written(profile) else None


def _can_be_written(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether sRGB can be converted to a profile; those of scanners may work one way only."""
    try:
        ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile, "RGB", "RGB")
    except ImageCms.PyCMSError:
        return False
    return True


def _from_srgb(image: Image.Image, icc_profile: bytes) -> Image.Image:
    """Convert an sRGB image to an RGB profile; transparency is kept."""
    srgb = ImageCms.createProfile("sRGB")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
    result = ImageCms.profileToProfile(image.convert("RGB"), srgb, profile, outputMode="RGB")
    assert result is not None
    if image.mode == "RGBA":
        result.putalpha(image.getchannel("A"))
    return result


def _sound_dpi(dpi: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(each) for each in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    sound = all(math.isfinite(each) and 1 <= each < 65536 for each in (x, y))
    return (x, y) if sound else None


def check_quality(path: str | Path, quality: int | None) -> None:
    """Check a quality setting for the format of a file.

    Args:
        path: The file; its suffix chooses the format.
        quality: 1 to 100; None for the default.

    Raises:
        DatNetError: If it is out of range, or the format has no quality setting.
    """
    if quality is None:
        return
    if not 1 <= quality <= 100:
        raise DatNetError(f"quality is {quality}; it must be between 1 and 100")
    if saving_format(path) not in QUALITY_FORMATS:
        raise DatNetError(
            f"{path}: only JPEG, WebP and AVIF have a quality; leave it out, or name the result "
            ".jpg, .webp or .avif"
        )


def save_picture(
    image: Image.Image,
    path: str | Path,
    origin: Origin | None = None,
    quality: int | None = None,
    settings: str | None = None,
) -> None:
    """Write a result, with the color profile and the resolution of its content.

    Args:
        image: An sRGB image of mode RGB or RGBA. It is composited over white if the format has no
            transparency (JPEG, BMP).
        path: Where to write it; the suffix chooses the format. An existing file is replaced.
        origin: The metadata to keep of the content's file.
        quality: 1 to 100 for JPEG, WebP and AVIF; by default 95 (AVIF: 75).
        settings: Text that a PNG carries under the key :data:`SETTINGS`.

    Raises:
        DatNetError: If the suffix is unknown or the image does not fit the format.
        UnwritableFileError: If the file cannot be written.
    """
    image_format = saving_format(path)
    check_quality(path, quality)
    options: dict[str, Any] = {} if quality is None else {"quality": quality}
    if image.mode == "RGBA" and image_format not in TRANSPARENT_FORMATS:
        image = over(image, "white")
    if origin is not None and origin.icc_profile and image_format in PROFILE_FORMATS:
        image = _from_srgb(image, origin.icc_profile)
        options["icc_profile"] = origin.icc_profile
    if origin is not None and origin.dpi and image_format in DPI_FORMATS:
        options["dpi"] = origin.dpi
    if settings is not None and image_format == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt(SETTINGS, settings)
    save_image(image, path, **options)
