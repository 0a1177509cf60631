"""Resize and crop images to the squares that networks are trained on or measured with."""

from __future__ import annotations

from PIL import Image

from datnet.images.upright import EXTENT


def resized_crop(
    image: Image.Image,
    *,
    short_side: int | None,
    crop_size: int,
    left: float,
    top: float,
    flip: bool,
) -> Image.Image:
    """Resize an image, keeping its aspect ratio, crop a square and optionally mirror it.

    Only the pixels of the square are computed, with Pillow's antialiased bilinear filter. The
    result equals resizing the whole image first.

    Args:
        image: An image of mode RGB.
        short_side: The shorter side after resizing, in pixels, at least ``crop_size``. ``None``
            keeps the size of the image, but enlarges it if it is smaller than the square.
        crop_size: Side of the square, in pixels.
        left: Position of the square in the free width, from 0 (left edge) to 1 (right edge).
        top: Position of the square in the free height, from 0 (top edge) to 1 (bottom edge).
        flip: Whether to mirror the square, left to right.

    Returns:
        An image of ``crop_size`` × ``crop_size`` pixels.

    Raises:
        ValueError: If ``left`` or ``top`` is out of range, or ``short_side`` is less than
            ``crop_size``.
    """
    if not (0 <= left <= 1 and 0 <= top <= 1):
        raise ValueError(f"left and top must be between 0 and 1, not {left} and {top}")
    if short_side is not None and short_side < crop_size:
        raise ValueError(f"short_side {short_side} must be at least crop_size {crop_size}")
    width, height = image.info.get(EXTENT, image.size)
    shorter = min(width, height)
    new_shorter = short_side if short_side is not None else max(shorter, crop_size)
    new_width = round(width * new_shorter / shorter)
    new_height = round(height * new_shorter / shorter)
    x = round(left * (new_width - crop_size))
    y = round(top * (new_height - crop_size))
    if (new_width, new_height) == image.size:
        square = image.crop((x, y, x + crop_size, y + crop_size))
    else:
        box = (
            x * width / new_width,
            y * height / new_height,
            (x + crop_size) * width / new_width,
            (y + crop_size) * height / new_height,
        )
        square = image.resize((crop_size, crop_size), Image.Resampling.BILINEAR, box=box)
    return square.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else square


def fit_square(image: Image.Image, size: int) -> Image.Image:
    """Resize the shorter side to ``size``, keeping the aspect ratio, and crop the central square.

    This is how evaluation prepares content and style images.

    Args:
        image: An image of mode RGB.
        size: Side of the square, in pixels.

    Returns:
        An image of ``size`` × ``size`` pixels.
    """
    return resized_crop(image, short_side=size, crop_size=size, left=0.5, top=0.5, flip=False)
