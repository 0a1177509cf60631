"""Decoded images, as they lie in their files, to upright 8-bit RGB."""

from __future__ import annotations

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from datnet.images.formats import JPEG_FORMATS

EXTENT = "extent"
"""Under this name ``info`` of a JPEG that was decoded at 1/2, 1/4 or 1/8 has its width and height
there, with fractions: 4969 pixels are 621.125 of 622. Crops would lie up to a pixel off else."""

# The turn that puts an image upright, by its EXIF orientation.
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
    """Turn a decoded image into upright 8-bit RGB without metadata, see the top of this file."""
    turn = turn_to_upright(image)
    result = _to_rgb(image)
    if turn is not None:
        result = result.transpose(turn)
    # After a turn the part that is no picture could lie at any edge; then it is taken for picture.
    extent = image.info.get(EXTENT) if image.format in JPEG_FORMATS and turn is None else None
    result.info = {} if extent is None else {EXTENT: extent}
    return result


def turn_to_upright(image: Image.Image) -> Image.Transpose | None:
    """The turn that puts a decoded image upright, None if it is, by its EXIF orientation."""
    # Pillow turns a TIFF by itself while loading and then forgets the orientation.
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
    """Lay an image of mode RGBA over a colour: mode RGB."""
    result = Image.new("RGB", image.size, background)
    result.paste(image, mask=image.getchannel("A"))
    return result


def to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale gray of modes I;16, I and F to mode L.

    Mode I;16 means 0 to 65535; in a TIFF the largest number of its bits, and white may be 0, as its
    tags say, which Pillow leaves to us. Modes I (32-bit integers) and F (floats) do not say what
    white is: it is taken to be the first of 1 (F only), 255 and 65535 that no pixel exceeds; an
    image with negative or larger values is stretched from its minimum to its maximum.
    """
    values = np.asarray(image)  # shares the image's memory
    lowest, highest = values.min(), values.max()
    if not np.isfinite(lowest) or not np.isfinite(highest):  # NaN among the values is both
        raise ValueError("some pixels are not finite numbers")
    tags = getattr(image, "tag_v2", {})
    largest = 2 ** tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))[0] - 1
    whites = {"F": (1, 255, 65535), "I": (255, 65535)}.get(image.mode, (largest,))
    fitting = [white for white in whites if highest <= white]
    black, white = (0, fitting[0]) if fitting and lowest >= 0 else (lowest, highest)
    scale = 255 / (float(white) - float(black)) if white > black else 0
    result = np.empty(values.shape, np.uint8)
    rows = max(1, 2**17 // image.width)  # in parts, for they take eight bytes a pixel
    for top in range(0, image.height, rows):
        part = values[top : top + rows].astype(np.float64) - float(black)
        result[top : top + rows] = np.rint(part * scale)
    white_is_zero = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    if white_is_zero and image.mode.startswith("I;16"):
        np.subtract(255, result, out=result)
    return Image.fromarray(result)
