"""Open, check and resize pictures that users give as files, images, arrays or tensors."""

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

Arrays and tensors are sRGB, uint8 in [0, 255] or floating point in [0, 1].
"""

MOST_PIXELS = 180_000_000

LARGEST_NUMBER_OF_REGIONS = 64
"""Most colors of a region map. One that was resized smoothly, or is a JPEG, has thousands."""


def open_picture(
    picture: Picture, role: str, at_least: int | None = None
) -> tuple[Image.Image, Origin]:
    """Open a picture, see :func:`datnet.images.pictures.read_picture`.

    Args:
        picture: The picture.
        role: Its role in messages, such as "style".
        at_least: Shorter side that is needed, in pixels; None for full size.

    Returns:
        An upright sRGB image of mode RGB or RGBA, and the metadata that its results keep.

    Raises:
        DatNetError: If it cannot be read, is not a picture or has a side below 32.
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
    """Open a style image at the size at which it is encoded, see :meth:`Stylizer.encode_style`.

    Args:
        painting: The style image; transparent parts become white.
        size: Its shorter side, in pixels; None for at most that of the content.
        content_side: Shorter side of the content, in pixels.

    Returns:
        An sRGB image of mode RGB.

    Raises:
        DatNetError: If it cannot be read, is not a picture, has a side below 32 or would become
            too large.
    """
    picture, _ = open_picture(painting, "style", size or content_side)
    if picture.mode == "RGBA":
        picture = over(picture, "white")
    if size is not None or min(picture.size) > content_side:
        picture = resize_short_side(picture, size or content_side)
    return picture


def open_mask(mask: Picture) -> Image.Image:
    """Open a picture as a mask of mode L.

    Raises:
        DatNetError: If it cannot be read or is not a picture.
    """
    if isinstance(mask, str | Path):
        return read_mask(as_path(mask, "mask"))
    return to_mask(as_pillow(mask, "mask"))


def as_path(name: str | Path, role: str) -> Path:
    """Return the path that a name stands for.

    Args:
        name: The name; if no such file exists, ``~`` is expanded as in a shell.
        role: Role of the file in messages.

    Returns:
        The path; it need not exist.

    Raises:
        DatNetError: If the name is empty, such as that of an unset variable.
    """
    if not str(name) or name == Path():
        raise DatNetError(f"the {role} is an empty name; name a file")
    path = Path(name)
    return path if path.exists() else Path(os.path.expanduser(path))  # noqa: PTH111  # never fails


def as_pillow(picture: Image.Image | np.ndarray | Tensor, role: str) -> Image.Image:
    """Convert an array or a tensor to an image.

    Args:
        picture: An image, which is returned loaded; an array ``(H, W, 3)`` or ``(H, W, 4)``, or a
            tensor ``(3, H, W)``; uint8 in [0, 255] or floating point in [0, 1].
        role: Its role in messages. A "mask" may also be ``(H, W)``, have one channel, or be
            boolean.

    Returns:
        An image of 8 bits per channel.

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
        # Comparisons with NaN are false, so NaN is refused as well.
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
    """Return an image of mode RGB or RGBA as RGB, with fully transparent pixels white."""
    if image.mode == "RGB":
        return image
    seen = image.getchannel("A").point(lambda opacity: 255 if opacity else 0)
    return Image.composite(image.convert("RGB"), Image.new("RGB", image.size, "white"), seen)


def resize_short_side(image: Image.Image, short_side: int) -> Image.Image:
    """Resize with antialiasing; the aspect ratio is kept.

    Args:
        image: The image.
        short_side: Shorter side of the result, in pixels.

    Returns:
        The resized image.

    Raises:
        DatNetError: If the result would have more than :data:`MOST_PIXELS` pixels.
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
    """Open a picture as a region map, in which every color denotes a region.

    Returns:
        An image of mode RGB.

    Raises:
        DatNetError: If it cannot be read, is not a picture or has too many colors.
    """
    image, _ = open_picture(picture, "picture of regions")
    image = image.convert("RGB")
    if image.getcolors(LARGEST_NUMBER_OF_REGIONS) is None:
        name = picture if isinstance(picture, str | Path) else "the picture of regions"
        raise DatNetError(
            f"{name} has more than {LARGEST_NUMBER_OF_REGIONS} colors; every region must have its "
            "own flat color (draw it without soft edges and save it as PNG)"
        )
    return image


def region_labels(regions: Image.Image, size: tuple[int, int]) -> Tensor:
    """Label every pixel by its color: equal colors have equal labels in all pictures.

    Args:
        regions: From :func:`open_regions`.
        size: Width and height to which it is resized.

    Returns:
        int64 labels ``(1, H, W)``.
    """
    resized = np.array(regions.resize(size, Image.Resampling.NEAREST)).astype(np.int64)
    return torch.from_numpy(resized @ np.array([1, 256, 65536]))[None]
