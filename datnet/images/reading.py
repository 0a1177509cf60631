"""Image files to pictures and tensors, and back.

Every image that DatNet trains on, stylises or measures goes through this file, so that hostile,
damaged and unusual files are treated in one way:

* EXIF orientation is applied.
* Transparency is composited over white.
* 16-bit, 32-bit and floating point gray is scaled to 8 bits, never clipped. CMYK, palette and gray
  images become RGB.
* Values are taken as sRGB; embedded colour profiles are ignored. :mod:`datnet.images.pictures`,
  which reads what is to be stylised, honours them and keeps transparency.
* Of 16 bits per channel in colour, Pillow keeps the upper 8.
* Of an animation the first frame is used.
* A file that cannot be decoded raises :class:`UnreadableImageError`, whatever is wrong with it.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageFile, TiffImagePlugin, UnidentifiedImageError, features

from datnet.errors import DatNetError
from datnet.images.files import write_bytes
from datnet.images.folders import walk

if TYPE_CHECKING:
    # Processes that only convert files start and stay without it: seconds and 200 MB each.
    from torch import Tensor

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
}
"""Suffix of a file name (lower case) to the name of the image format in Pillow."""
if "avif" in features.get_supported():
    FORMATS[".avif"] = "AVIF"
FORMAT_NAMES = sorted(set(FORMATS.values()))

JPEG_FORMATS = ("JPEG", "MPO")

EXTENT = "extent"
"""Under this name ``info`` of a JPEG that was decoded at 1/2, 1/4 or 1/8 has its width and height
there, with fractions: 4969 pixels are 621.125 of 622. Crops would lie up to a pixel off else."""

# GIF has 256 colours only, too few for a painting.
SAVING_FORMATS = {suffix: name for suffix, name in FORMATS.items() if name != "GIF"}
SAVING_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}}

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

_size_limit_lock = threading.Lock()

Result = TypeVar("Result")


class UnreadableImageError(DatNetError):
    """An image file that cannot be used.

    Attributes:
        path: The file.
        name: What it is called in messages: its path, or its address on another machine.
        reason: What is wrong with it, in plain words.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = Path(path)
        self.name = printable(path)  # of the path as given: a Path would change an address
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def printable(path: str | Path) -> str:
    """A path as one line of text: escapes stand for what is no text or would move the cursor."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in str(path)
    )


class UnwritableFileError(DatNetError):
    """A file that the machine does not let be written: the disk is full, or it is forbidden."""


# ------------------------------------------------------------------------------------- reading


def read_image(
    path: str | Path,
    *,
    content: bytes | None = None,
    at_least: int | None = None,
    max_pixels: int = 180_000_000,
) -> Image.Image:
    """Decode an image file to upright 8-bit RGB (see the top of this file for the treatment).

    Args:
        path: The file.
        content: The bytes of the file, where they come from an archive or another machine;
            ``path`` is then its name for messages. ``None`` reads the file.
        at_least: The shorter side, in pixels, that the caller needs. A JPEG is then decoded at
            1/2, 1/4 or 1/8 of its size, as small as this allows: several times faster. ``None``
            decodes every file at its full size.
        max_pixels: The most pixels that may be decoded. A small file can claim to hold billions of
            pixels; it is refused before anything is decoded. ``at_least`` makes larger JPEGs
            readable, except progressive ones, whose decoder holds the full size all the same.

    Returns:
        An image of mode RGB without metadata but for :data:`EXTENT`.

    Raises:
        UnreadableImageError: If the file is missing, is no image, is damaged or is too large.
    """
    return decode(path, upright_rgb, content=content, at_least=at_least, max_pixels=max_pixels)


def decode(
    path: str | Path,
    convert: Callable[[Image.Image], Result],
    *,
    content: bytes | None = None,
    at_least: int | None = None,
    max_pixels: int = 180_000_000,
) -> Result:
    """Decode an image file and make something of it, see :func:`read_image`.

    Args:
        path: The file.
        convert: Is given the decoded image, as it lies in the file, with its metadata. What it
            raises counts as damage of the file.
        content: As for :func:`read_image`.
        at_least: As for :func:`read_image`.
        max_pixels: Likewise.

    Returns:
        What ``convert`` returns.

    Raises:
        UnreadableImageError: If the file is missing, is no image, is damaged or is too large.
    """
    if at_least is not None and at_least < 1:
        raise ValueError(f"at_least must be 1 or more pixels, not {at_least}")
    try:
        if content is None:
            path = Path(path)
            _check_is_file(path)
        elif not content:
            raise UnreadableImageError(path, "the file is empty")
        with _opened(path if content is None else io.BytesIO(content)) as image:
            _check_and_reduce_size(path, image, at_least, max_pixels)
            image.load()
            return convert(image)
    except UnreadableImageError:
        raise
    except Exception as error:  # hostile data makes Pillow raise almost any exception
        raise UnreadableImageError(path, _reason(error)) from error


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


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise UnreadableImageError(path, "this is a folder, not an image file")
    if not path.exists():
        raise UnreadableImageError(path, "there is no such file")
    if not path.is_file():  # to open a named pipe would wait for ever
        raise UnreadableImageError(path, "this is not a regular file")
    if path.stat().st_size == 0:
        raise UnreadableImageError(path, "the file is empty")


@contextmanager
def _opened(source: str | Path | io.BytesIO) -> Iterator[ImageFile.ImageFile]:
    """Open an image of one of our formats; its size is for the caller to check."""
    # Pillow's own limit would refuse a large JPEG that is to be decoded at 1/8 of its size. It is a
    # global of the process, so it is lifted only while the header is read.
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


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"this is not an image in a known format ({', '.join(FORMAT_NAMES)})"
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode the image"
    if isinstance(error, OSError) and error.strerror:
        return f"the file cannot be read: {error.strerror}"
    return f"the image data is damaged: {error or type(error).__name__}"


def find_images(folder: str | Path, also: Collection[str] = ()) -> list[Path]:
    """List the image files in a folder and its subfolders, without opening them.

    Files are known by their suffix, in capitals or not; see :data:`FORMATS`. Hidden files and
    folders are left out. Links are followed; a folder that can be reached in several ways is
    listed once, so links that form a loop do no harm.

    Args:
        folder: The folder.
        also: Further suffixes, lower case with the dot, of files that are listed as well.

    Returns:
        At least one path, sorted by the path inside the folder (written with ``/``), so that the
        order is the same on every machine.

    Raises:
        DatNetError: If the folder is missing, cannot be read or holds no image.
    """
    folder = Path(folder)
    return [folder / name for name in find_image_names(folder, also)]


def find_image_names(folder: Path, also: Collection[str] = ()) -> list[str]:
    """As :func:`find_images`, but the paths inside the folder, which take less memory."""
    if not folder.exists():
        raise DatNetError(f"{folder}: there is no such folder. Expected a folder with image files.")
    if not folder.is_dir():
        raise DatNetError(f"{folder}: this is a file. Expected a folder with image files.")
    suffixes = [*FORMATS, *sorted(also)]
    names: list[str] = []
    other_files = 0
    for found in walk(folder, suffixes):
        if found.error:
            raise DatNetError(
                f"{folder / found.name}: cannot list this folder: {found.error.strerror}"
            ) from found.error
        if not found.reason:
            names.append(found.name)
        elif not PurePosixPath(found.name).name.startswith("."):
            other_files += 1
    if not names:
        raise DatNetError(
            f"{folder}: there is no image in this folder or its subfolders"
            f" ({other_files} other files). Expected files named {', '.join(suffixes)}."
        )
    return sorted(names)


# ------------------------------------------------------------------------------------ resizing


def resized_crop(
    image: Image.Image,
    *,
    short_side: int | None,
    crop_size: int,
    left: float,
    top: float,
    flip: bool,
) -> Image.Image:
    """Resize an image with its aspect kept, cut a square out of it and perhaps mirror the square.

    Only the pixels of the square are computed, with Pillow's antialiased bilinear filter; the
    result is that of resizing the whole image first.

    Args:
        image: An image of mode RGB.
        short_side: The shorter side after resizing, in pixels, at least ``crop_size``. ``None``
            keeps the size of the image, but enlarges it where it is smaller than the square.
        crop_size: The side of the square, in pixels.
        left: Where the square lies in the free width, from 0 (left edge) to 1 (right edge).
        top: Where the square lies in the free height, from 0 (top edge) to 1 (bottom edge).
        flip: Whether to mirror the square, left to right.

    Returns:
        An image of ``crop_size`` x ``crop_size`` pixels.
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
    """Resize the shorter side to ``size`` pixels, aspect kept, and keep the central square.

    This is how evaluation prepares content and style images.
    """
    return resized_crop(image, short_side=size, crop_size=size, left=0.5, top=0.5, flip=False)


# ------------------------------------------------------------------------- tensors and writing


def to_tensor(image: Image.Image) -> Tensor:
    """Turn an image of mode RGB into a float32 tensor ``(3, H, W)`` in [0, 1]."""
    if image.mode != "RGB":
        raise ValueError(f"expected an image of mode RGB, not {image.mode}")
    import torch

    # A copy: an array that shares memory with the image cannot be written to.
    pixels = torch.from_numpy(np.array(image))  # (H, W, 3)
    return pixels.permute(2, 0, 1).contiguous().float().div_(255)


def read_square(path: str | Path, size: int) -> Tensor:
    """Read an image file as networks are measured with it, see :func:`fit_square`.

    Returns:
        RGB in [0, 1], ``(1, 3, size, size)``.

    Raises:
        UnreadableImageError: If it cannot be used.
    """
    return to_tensor(fit_square(read_image(path), size))[None]


def to_image(tensor: Tensor) -> Image.Image:
    """Turn a tensor ``(3, H, W)`` into an 8-bit RGB image.

    Values are clamped to [0, 1] and rounded to the nearest of the 256 levels.

    Raises:
        ValueError: If the shape is another one or a value is not a number.
    """
    import torch

    if tensor.ndim != 3 or tensor.shape[0] != 3:
        raise ValueError(f"expected a tensor (3, H, W), not {tuple(tensor.shape)}")
    values = tensor.detach().cpu().float()
    if values.isnan().any():
        raise ValueError("the image contains values that are not numbers (NaN)")
    levels = values.clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())


def saving_format(path: str | Path) -> str:
    """The format that a file name's suffix stands for, in Pillow's name for it.

    Raises:
        DatNetError: If the suffix is none that can be written.
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
    """Write an image file; the suffix of the name chooses the format.

    Missing parent folders are made. The file appears under its name when it is complete.

    Args:
        image: The image.
        path: Where to write it. An existing file is replaced.
        **options: What Pillow's writer of the format takes. JPEG and WebP are written with quality
            95 unless told otherwise.

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
