"""One image file to the JPEG that stands for it in a shard."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image

from datnet.data.suitable import check_size, side_to_decode
from datnet.images.reading import decode
from datnet.images.upright import EXTENT, turn_to_upright, upright_rgb


class Prepared(NamedTuple):
    """A prepared image.

    Attributes:
        content: A JPEG.
        outcome: ``"taken"`` if it is the file's own, byte for byte, else ``"converted"``.
    """

    content: bytes
    outcome: Literal["taken", "converted"]


def prepare_image(name: Path, content: bytes, short_side: int, quality: int) -> Prepared:
    """Decode an image file and make a JPEG of it that trains the same and loads fast.

    The shorter side becomes ``short_side`` by the same filter as in training, so that crops are
    those of the file itself but for the JPEG's error; what is smaller keeps its size. An upright
    baseline JPEG in RGB or gray that needs no resizing is taken as it is: nothing is lost.

    Args:
        name: What to call the file in messages.
        content: Its bytes.
        short_side: In pixels.
        quality: Of the JPEG, 1 to 100. Colours are stored at half the resolution (4:2:0), as
            cameras do: a fifth less to decode and to store, and 1.7 dB of 43 at quality 95.

    Raises:
        UnreadableImageError: If it cannot be decoded or makes no sense as training data.
    """
    is_fit, image = decode(
        name,
        lambda image: (_is_fit(image, len(content), short_side), upright_rgb(image)),
        content=content,
        at_least=side_to_decode(short_side),
    )
    check_size(name, image)
    if is_fit:
        return Prepared(content, "taken")
    width, height = image.info.get(EXTENT, image.size)
    scale = short_side / min(width, height)
    if scale < 1:
        size = (round(width * scale), round(height * scale))
        image = image.resize(size, Image.Resampling.BILINEAR, box=(0, 0, width, height))
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=quality, subsampling="4:2:0")
    return Prepared(encoded.getvalue(), "converted")


def _is_fit(image: Image.Image, size: int, short_side: int) -> bool:
    width, height = image.size
    return (
        image.format == "JPEG"
        and image.mode in ("RGB", "L")
        and not image.info.get("progressive")  # several times slower to decode
        and turn_to_upright(image) is None
        and min(width, height) <= short_side
        and size <= 3 * width * height  # more is not the picture
    )
