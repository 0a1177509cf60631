"""Stylize uploaded files, with error messages for users of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from datnet.errors import DatNetError
from datnet.images.errors import UnreadableImageError
from datnet.images.pictures import Origin, save_picture, to_picture
from datnet.images.reading import decode
from datnet.networks.base import SMALLEST_SIDE
from datnet.stylize.options import StylizeOptions
from datnet.stylize.page.waiting import Work
from datnet.stylize.stylizer import Stylizer

MOST_DECODED_PIXELS = 60_000_000
"""Maximum number of pixels of an upload, checked before decoding; they take 180 MB."""


@dataclass(frozen=True)
class Request:
    """The request of a user of the page.

    Attributes:
        photo: The uploaded photograph, or clip.
        paintings: One or two uploaded paintings.
        options: The settings.
    """

    photo: Path
    paintings: Sequence[Path]
    options: StylizeOptions
    settings: str | None = None
    """Text that the result carries, see :mod:`datnet.stylize.page.settings`."""


@dataclass(frozen=True)
class Stylized:
    """The two result files, of the same size in pixels.

    Attributes:
        before: The photograph as JPEG, for comparison.
        after: The stylized photograph as PNG, with the color profile of the photograph.
    """

    before: Path
    after: Path


def stylize_uploads(
    stylizer: Stylizer,
    request: Request,
    most_pixels: float,
    folder: Path,
    started: Callable[[Work], None] = lambda work: None,
) -> Stylized:
    """Stylize the uploads of a request and write the results to a folder.

    Args:
        stylizer: The stylizer.
        request: The request.
        most_pixels: Maximum number of pixels of the result.
        folder: An empty folder for the results.
        started: Called when the pictures are read and the network begins.

    Returns:
        The files written.

    Raises:
        DatNetError: If an upload cannot be used, the result would be too large or a value is out of
            range. The message is for users of the page: it contains no path of the server.
    """
    photo, origin = read_upload(request.photo, "photo", request.options.size)
    short_side = request.options.size or min(photo.size)
    check_pixels(photo, "photo", short_side, most_pixels)
    paintings = read_paintings(request, short_side, most_pixels)
    started(work_of(request, photo, paintings))
    result = stylizer.stylize(photo, paintings, request.options)
    # File names can have at most 255 bytes.
    photo_name, painting_name = (
        path.stem.encode(errors="ignore")[:60].decode(errors="ignore")
        for path in (request.photo, request.paintings[0])
    )
    name = f"{photo_name}__{painting_name}"
    stylized = Stylized(folder / f"{name}_before.jpg", folder / f"{name}.png")
    before = photo.resize(result.size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    save_picture(before, stylized.before, origin, quality=90)
    save_picture(result, stylized.after, origin, settings=request.settings)
    return stylized


def read_paintings(request: Request, short_side: int, most_pixels: float) -> list[Image.Image]:
    """Decode the paintings of a request and check their sizes.

    Args:
        request: The request.
        short_side: Shorter side of the result in pixels.
        most_pixels: Maximum number of pixels of a painting as the network gets it.

    Returns:
        The paintings.

    Raises:
        DatNetError: If one cannot be used, or would be too large.
    """
    paintings = []
    for path in request.paintings:
        painting, _ = read_upload(path, "painting", request.options.style_size or short_side)
        own_side = style_side(request, painting, short_side)
        check_pixels(painting, "painting", own_side, most_pixels)
        paintings.append(painting)
    return paintings


def style_side(request: Request, painting: Image.Image, short_side: int) -> int:
    """Return the shorter side of a painting as the network gets it.

    Args:
        request: The request.
        painting: The painting.
        short_side: Shorter side of the result in pixels.
    """
    return request.options.style_size or min(short_side, *painting.size)


def work_of(request: Request, photo: Image.Image, paintings: Sequence[Image.Image]) -> Work:
    """Return what a network computes for a request, with its pictures."""
    short_side = request.options.size or min(photo.size)
    masked = request.options.mask is not None
    return Work.of(
        pixels_at(photo, short_side),
        [pixels_at(each, style_side(request, each, short_side)) for each in paintings],
        float(request.options.alpha),
        passes=len(paintings) if masked else 1,
    )


def read_upload(path: Path, role: str, at_least: int | None) -> tuple[Image.Image, Origin]:
    """Decode an uploaded file.

    Args:
        path: The file.
        role: "photo" or "painting", for messages.
        at_least: Shorter side needed, in pixels, so that JPEGs can be decoded smaller; None for the
            full size.

    Returns:
        An image of mode RGB or RGBA, and the properties of its file that the result keeps.

    Raises:
        DatNetError: If it cannot be used.
    """
    if not path.exists():
        raise DatNetError(f"The {role} was here for too long and is gone. Please add it again.")
    try:
        image, origin = decode(path, to_picture, at_least=at_least, max_pixels=MOST_DECODED_PIXELS)
    except UnreadableImageError as error:
        raise DatNetError(f"The {role} cannot be used: {error.reason}.") from error
    if min(image.size) < SMALLEST_SIDE:
        raise DatNetError(
            f"The {role} is too small: it has {image.width} × {image.height} pixels, but both "
            f"sides must have at least {SMALLEST_SIDE}."
        )
    return image, origin


def pixels_at(image: Image.Image, short_side: int) -> float:
    """Return the number of pixels of a picture at a shorter side."""
    return short_side**2 * max(image.size) / min(image.size)


def check_pixels(image: Image.Image, role: str, short_side: int, most_pixels: float) -> None:
    """Check the number of pixels that a picture has after resizing.

    Args:
        image: The picture.
        role: "photo" or "painting", for messages.
        short_side: Its shorter side after resizing, in pixels.
        most_pixels: Maximum number of pixels.

    Raises:
        DatNetError: If it would have more than ``most_pixels``.
    """
    pixels = pixels_at(image, short_side)
    if pixels > most_pixels:
        raise DatNetError(
            f"The {role} would have {pixels / 1e6:.1f} million pixels at this size, but this page "
            f"accepts at most {most_pixels / 1e6:g} million. Choose a smaller size, or crop the "
            f"{role}."
        )
