"""The Python way to use a trained network.

>>> from datnet import Stylizer
>>> stylizer = Stylizer("runs/datnet_full/seed_1/network.safetensors")  # doctest: +SKIP
>>> stylizer("photo.jpg", "painting.jpg").save("result.png")  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

import datnet
from datnet.data.images import UnreadableImageError, read_image, to_image, to_tensor
from datnet.errors import DatNetError
from datnet.networks.base import SMALLEST_SIDE, StyleTransferNetwork
from datnet.published import network_file
from datnet.saved_network import load_network, read_description

SHIPPED_NETWORK = Path(datnet.__file__).parents[1] / "pretrained" / "datnet_full.safetensors"

Picture = str | Path | Image.Image


class Stylizer:
    """Paints photographs in the manner of paintings.

    Args:
        checkpoint: A ``network.safetensors`` that `datnet train` wrote, or a published network,
            such as "microast", see :func:`datnet.published.network_file`; by default the network
            that comes with DatNet.
        device: Where to compute, such as "cpu" or "cuda:1"; by default a GPU if there is one.

    Raises:
        DatNetError: If the network or its encoder's weights cannot be found, or the device is none
            of this machine.
    """

    def __init__(
        self, checkpoint: str | Path | None = None, device: str | torch.device | None = None
    ) -> None:
        if checkpoint is None and not SHIPPED_NETWORK.exists():
            raise DatNetError(
                "no trained network comes with this version of DatNet; name one with "
                "--checkpoint (Stylizer(checkpoint) in Python). `make reproduce-table3` and "
                "`datnet train` write RUN_DIR/network.safetensors"
            )
        path = network_file(checkpoint or SHIPPED_NETWORK)
        self.description = read_description(path)
        self.device = choose_device(device)
        self.network: StyleTransferNetwork = load_network(path).to(self.device)

    @torch.inference_mode()
    def __call__(
        self, content: Picture, style: Picture, alpha: float = 1.0, size: int | None = None
    ) -> Image.Image:
        """Paint one photograph.

        Args:
            content: The photograph, a file or a Pillow image.
            style: The painting, likewise. Where its shorter side is longer than the content's it
                is reduced to it, so that its strokes keep their proportion to the picture.
            alpha: Strength of the style in [0, 1].
            size: Shorter side of the result; by default that of the content.

        Returns:
            The painted photograph, RGB.

        Raises:
            DatNetError: If a file cannot be read, a picture is too small or a value out of range.
        """
        if not 0 <= alpha <= 1:
            raise DatNetError(f"alpha is {alpha}; it must be between 0 and 1")
        if size is not None and size < SMALLEST_SIDE:
            raise DatNetError(f"size is {size}; it must be at least {SMALLEST_SIDE}")
        photograph = open_picture(content, size)
        if size is not None:
            photograph = resize_short_side(photograph, size)
        short_side = min(photograph.size)
        painting = open_picture(style, short_side)
        if min(painting.size) > short_side:
            painting = resize_short_side(painting, short_side)
        result = self.network(
            to_tensor(photograph)[None].to(self.device),
            to_tensor(painting)[None].to(self.device),
            alpha,
        )
        return to_image(result[0].cpu())


def open_picture(picture: Picture, at_least: int | None) -> Image.Image:
    """Read a file, or take a Pillow image, as RGB.

    Args:
        picture: The file or image.
        at_least: Shorter side that is needed; None for all pixels.

    Raises:
        UnreadableImageError: If it cannot be read or has a side below 32.
    """
    if isinstance(picture, Image.Image):
        image, name = picture.convert("RGB"), "the given image"
    else:
        image, name = read_image(picture, at_least=at_least), str(picture)
    if min(image.size) < SMALLEST_SIDE:
        raise UnreadableImageError(
            name,
            f"it has {image.width} × {image.height} pixels; "
            f"both sides must be at least {SMALLEST_SIDE}",
        )
    return image


def resize_short_side(image: Image.Image, short_side: int) -> Image.Image:
    """Resize with antialiasing, aspect kept."""
    scale = short_side / min(image.size)
    width, height = (max(short_side, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0)


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """The device that is asked for, else the first GPU, else the processor.

    Raises:
        DatNetError: If the device is none of this machine.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise DatNetError(f"device {device} cannot be used here: {reason}") from error
