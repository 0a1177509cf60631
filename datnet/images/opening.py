"""Pictures as users give them, files or not, opened, checked and brought to size."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from datnet.errors import DatNetError
from datnet.images.errors import UnreadableImageError
from datnet.images.pictures import Origin, read_mask, read_picture, to_mask, to_picture
from datnet.images.upright import over
from datnet.networks.base import SMALLEST_SIDE

Picture = str | Path | Image.Image | np.ndarray | Tensor
"""A file, a Pillow image, an array ``(H, W, 3)`` or ``(H, W, 4)``, or a tensor ``(3, H, W)``.

Arrays and tensors are sRGB, of integers from 0 to 255 (uint8) or of floats from 0 to 1.
"""

MOST_PIXELS = 180_000_000

LARGEST_NUMBER_OF_REGIONS = 64
"""Colours of a picture of regions. One that was resized smoothly, or is a JPEG, has thousands."""


def open_picture(
    picture: Picture, role: str, at_least: int | None = None
) -> tuple[Image.Image, Origin]:
    """Read a file, or take what is given, see :func:`datnet.images.pictures.read_picture`.

    Args:
        picture: The picture.
        role: What it is used as, for messages.
        at_least: Shorter side that is needed; None for all pixels.

    Returns:
        An upright sRGB image of mode RGB or RGBA, and what its results are to keep.

    Raises:
        DatNetError: If it cannot be read, is no picture or has a side below 32.
    """
    name = f"the given {role}"
    if isinstance(picture, str | Path):
        name = str(picture)
        image, origin = read_picture(as_path(picture, role), at_least=at_least)
    else:
        image, origin = to_picture(as_pillow(picture, role))
    if min(image.size) < SMALLEST_SIDE:
        raise UnreadableImageError(
            name,
            f"it has {image.width} × {image.height} pixels; "
            f"both sides must be at least {SMALLEST_SIDE}",
        )
    return image, origin


def open_style(painting: Picture, size: int | None, content_side: int) -> Image.Image:
    """Read a painting at the size at which it is encoded, see :meth:`Stylizer.encode_style`.

    Raises:
        DatNetError: If it cannot be read, is no picture or has a side below 32.
    """
    picture, _ = open_picture(painting, "style", size or content_side)
    if picture.mode == "RGBA":
        picture = over(picture, "white")
    if size is not None or min(picture.size) > content_side:
        picture = resize_short_side(picture, size or content_side)
    return picture


def open_mask(mask: Picture) -> Image.Image:
    """Read a file, or take what is given, as a mask of mode L.

    Raises:
        DatNetError: If it cannot be read or is no picture.
    """
    if isinstance(mask, str | Path):
        return read_mask(as_path(mask, "mask"))
    return to_mask(as_pillow(mask, "mask"))


def as_path(name: str | Path, role: str) -> Path:
    """The file that a name stands for; ``~`` is the user's own folder, as in a shell.

    Raises:
        DatNetError: If the name is empty, as that of an unset variable is.
    """
    if not str(name) or name == Path():
        raise DatNetError(f"the {role} is an empty name; name a file")
    path = Path(name)
    return path if path.exists() else Path(os.path.expanduser(path))  # noqa: PTH111  # never fails


def as_pillow(picture: Image.Image | np.ndarray | Tensor, role: str) -> Image.Image:
    """Turn an array or a tensor into an image; a mask may have one channel, or none.

    Raises:
        DatNetError: If it has another shape or type, or values out of range.
    """
    if isinstance(picture, Image.Image):
        picture.load()
        return picture
    if isinstance(picture, Tensor):
        values = picture.detach().cpu().float() if picture.is_floating_point() else picture.cpu()
        channels_last = values.movedim(0, -1) if values.ndim == 3 else values
        array, expected = channels_last.numpy(), "(3, H, W)"
    elif isinstance(picture, np.ndarray):
        array, expected = picture, "(H, W, 3) or (H, W, 4)"
    else:
        raise DatNetError(
            f"the {role} is of type {type(picture).__name__}; it must be a path, a Pillow image, "
            "an array or a tensor"
        )
    channels = array.shape[2] if array.ndim == 3 else 1 if array.ndim == 2 else 0
    if channels not in ((1, 3, 4) if role == "mask" else (3, 4)) or 0 in array.shape:
        raise DatNetError(
            f"the {role} has the shape {tuple(picture.shape)}; it must be {expected}"
            + (" or (H, W)" if role == "mask" else "")
        )
    if array.ndim == 3 and channels == 1:
        array = array[:, :, 0]
    if np.issubdtype(array.dtype, np.floating):
        # A comparison with NaN is false, so this refuses it as well.
        if not (array.min() >= 0 and array.max() <= 1):
            raise DatNetError(
                f"the {role} has values from {array.min():g} to {array.max():g}; "
                "floats must lie between 0 and 1 (divide by 255?)"
            )
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype == np.bool_ and role == "mask":
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        raise DatNetError(
            f"the {role} has values of type {array.dtype}; they must be uint8, 0 to 255, "
            "or floats, 0 to 1"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def visible(image: Image.Image) -> Image.Image:
    """The colours of an image of mode RGB or RGBA, white where it cannot be seen at all."""
    if image.mode == "RGB":
        return image
    seen = image.getchannel("A").point(lambda opacity: 255 if opacity else 0)
    return Image.composite(image.convert("RGB"), Image.new("RGB", image.size, "white"), seen)


def resize_short_side(image: Image.Image, short_side: int) -> Image.Image:
    """Resize with antialiasing, aspect kept.

    Raises:
        DatNetError: If the result would be too large for any machine.
    """
    scale = short_side / min(image.size)
    width, height = (max(short_side, round(side * scale)) for side in image.size)
    if width * height > MOST_PIXELS:
        raise DatNetError(
            f"a picture of {image.width} × {image.height} pixels would become {width} × {height}; "
            f"at most {MOST_PIXELS / 1e6:g} million pixels can be made, choose a smaller size"
        )
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def open_regions(picture: Picture) -> Image.Image:
    """Read a file, or take what is given, as a picture whose colours name regions.

    Returns:
        An image of mode RGB.

    Raises:
        DatNetError: If it cannot be read, is no picture or has too many colours.
    """
    image, _ = open_picture(picture, "picture of regions")
    image = image.convert("RGB")
    if image.getcolors(LARGEST_NUMBER_OF_REGIONS) is None:
        name = picture if isinstance(picture, str | Path) else "the picture of regions"
        raise DatNetError(
            f"{name} has more than {LARGEST_NUMBER_OF_REGIONS} colours; every region must have a "
            "flat colour of its own (save it as PNG, painted without soft edges)"
        )
    return image


def region_labels(regions: Image.Image, size: tuple[int, int]) -> Tensor:
    """A number for every pixel, the same for the same colour in any picture.

    Args:
        regions: From :func:`open_regions`.
        size: Width and height to which it is stretched.

    Returns:
        Integers ``(1, H, W)``.
    """
    resized = np.array(regions.resize(size, Image.Resampling.NEAREST)).astype(np.int64)
    return torch.from_numpy(resized @ np.array([1, 256, 65536]))[None]
