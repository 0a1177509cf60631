"""What a network can stylize: its own paintings, and contents that tile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from datnet.errors import DatNetError
from datnet.images.opening import Picture
from datnet.images.tensors import to_tensor
from datnet.networks.base import TILE_MULTIPLE, StyleTransferNetwork
from datnet.networks.own_paintings import OwnPaintings


def own_picture(own: OwnPaintings, painting: Picture) -> Picture:
    """Return the picture of an own painting that is given by its name.

    Args:
        own: The paintings of a network.
        painting: One of their names, or any picture, which is returned. A file of this name takes
            precedence.

    Returns:
        The picture.
    """
    if not isinstance(painting, str | Path) or Path(painting).is_file():
        return painting
    return own.pictures().get(str(painting), painting)


def check_known(own: OwnPaintings, painting: Picture, picture: Image.Image) -> None:
    """Check that a picture is a painting that a network was trained for.

    Args:
        own: The paintings of the network.
        painting: The painting as it was given, for the message.
        picture: The same, opened.

    Raises:
        DatNetError: If it is not; the message lists the paintings.
    """
    try:
        own.recognize(to_tensor(picture)[None])
    except DatNetError as error:
        name = painting if isinstance(painting, str | Path) else "the given style"
        raise DatNetError(f"{name}: {error}") from error


def check_tiles(network: StyleTransferNetwork, name: str, size: Sequence[int]) -> None:
    """Check that the result of a content tiles.

    Args:
        network: The network.
        name: Its name, for the message.
        size: Width and height of the content in pixels.

    Raises:
        DatNetError: If it does not, with the reason.
    """
    if network.seam is not None:
        raise DatNetError(f"{name} gives no tileable results: {network.seam}; use another network")
    if any(side % TILE_MULTIPLE for side in size):
        raise DatNetError(
            f"the content has {size[0]} × {size[1]} pixels, and a tileable result needs multiples "
            f"of {TILE_MULTIPLE}; crop or resize the texture"
        )
