"""Convert decoded images to upright 8-bit RGB."""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from datnet.images.formats import JPEG_FORMATS

EXTENT = "extent"
"""Key in ``info`` of a JPEG decoded at 1/2, 1/4 or 1/8: its exact width and height at that scale.

4969 pixels are 621.125 of 622. Without it, crops would be up to a pixel off."""

# EXIF orientation to the transpose that makes an image upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright_rgb(image: Image.Image) -> Image.Image:
    """Convert a decoded image to upright 8-bit RGB without metadata except :data:`EXTENT`."""
    turn = turn_to_upright(image)
    result = _to_rgb(image)
    if turn is not None:
        result = result.transpose(turn)
    # After a turn the padding may be at any edge, so it then counts as part of the picture.
    extent = image.info.get(EXTENT) if image.format in JPEG_FORMATS and turn is None else None
    result.info = {} if extent is None else {EXTENT: extent}
    return result


def turn_to_upright(image: Image.Image) -> Image.Transpose | None:
    """Return the transpose that makes a decoded image upright by its EXIF orientation, or None."""
    # Pillow turns a TIFF itself while loading it and then drops the orientation.
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a picture with damaged metadata is still a good picture
        return None


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return to_eight_bits(image).convert("RGB")
    if image.has_transparency_data:
        return over(image if image.mode == "RGBA" else image.convert("RGBA"), "white")
    return image.convert("RGB")


def over(image: Image.Image, background: str) -> Image.Image:
    """Composite an image over a color.

    Args:
        image: An image of mode RGBA.
        background: Name of the color, such as "white".

    Returns:
        An image of mode RGB.
    """
    result = Image.new("RGB", image.size, background)
    result.paste(image, mask=image.getchannel("A"))
    return result


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale gray images of modes I;16, I and F to mode L.

    White in mode I;16 is 65535, or in a TIFF the largest value of its bit depth; a TIFF's tags may
    also state that white is 0, which Pillow does not apply. Modes I (32-bit integers) and F
    (floats) do not define white: it is the first of 1 (F only), 255 and 65535 that no pixel
    exceeds. An image with negative or larger values is stretched from its minimum to its maximum.

    Raises:
        ValueError: If a pixel is not finite.
    """
    values = np.asarray(image)  # shares the image's memory
    lowest, highest = values.min(), values.max()
    if not np.isfinite(lowest) or not np.isfinite(highest):  # NaN makes both NaN
        raise ValueError("some pixels are not finite numbers")
    tags = getattr(image, "tag_v2", {})
    largest = 2 ** tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0] - 1
    whites = {"F": (1, 255, 65535), "I": (255, 65535)}.get(image.mode, (largest,))
    fitting = [white for white in whites if highest <= white]
    black, white = (0, fitting[0]) if fitting and lowest >= 0 else (lowest, highest)
    scale = 255 / (float(white) - float(black)) if white > black else 0
    result = np.empty(values.shape, np.uint8)
    rows = max(1, 2**17 // image.width)  # in parts: they take eight bytes per pixel
    for top in range(0, image.height, rows):
        part = values[top : top + rows].astype(np.float64) - float(black)
        result[top : top + rows] = np.rint(part * scale)
    white_is_zero = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    if white_is_zero and image.mode.startswith("I;16"):
        np.subtract(255, result, out=result)
    return Image.fromarray(result)
