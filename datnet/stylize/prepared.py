"""What stylizations share, prepared once: encoded styles, open masks and regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from datnet.errors import DatNetError
from datnet.images.opening import Picture, open_mask, open_regions
from datnet.networks.base import StyleTransferNetwork
from datnet.stylize.options import StylizeOptions


@dataclass(frozen=True, eq=False)
class EncodedPicture:
    """A picture encoded by a network; immutable.

    Attributes:
        picture: The picture in sRGB, at the size at which it was encoded.
        features: Its features.
        network: The network that encoded it; no other can use the features.
    """

    picture: Image.Image
    features: tuple[Tensor, ...]
    network: StyleTransferNetwork

    what: ClassVar[str]
    size_option: ClassVar[str]
    encoded_by: ClassVar[str]

    def check(self, network: StyleTransferNetwork, size: int | None) -> None:
        """Check that a network can use it at the wanted size.

        Args:
            network: The network.
            size: Shorter side in pixels; None for the size at which it was encoded.

        Raises:
            DatNetError: If another network encoded it, or at another size.
        """
        if network is not self.network:
            raise DatNetError(
                f"this {self.what} was encoded by another Stylizer; encode it with this one"
            )
        if size not in (None, min(self.picture.size)):
            raise DatNetError(
                f"{self.size_option} is {size}, but the {self.what} is encoded already, at "
                f"{min(self.picture.size)}; give the size to {self.encoded_by}"
            )


class EncodedStyle(EncodedPicture):
    """An encoded painting, from :meth:`Stylizer.encode_style`."""

    what, size_option, encoded_by = "style", "style_size", "encode_style"


class EncodedContent(EncodedPicture):
    """An encoded photograph, from :meth:`Stylizer.encode_content`."""

    what, size_option, encoded_by = "photograph", "size", "encode_content"


def as_list(
    style: Picture | EncodedStyle | Sequence[Picture | EncodedStyle],
) -> list[Picture | EncodedStyle]:
    """Return one style, or several, as a list."""
    if isinstance(style, str | Path | Image.Image | np.ndarray | Tensor | EncodedStyle):
        return [style]
    return list(style)


def with_open_pictures(options: StylizeOptions) -> StylizeOptions:
    """Return the settings with mask and region maps opened, for use with many contents.

    Raises:
        DatNetError: If a file cannot be read.
    """
    mask = None if options.mask is None else open_mask(options.mask)
    regions = options.regions and (
        open_regions(options.regions[0]),
        open_regions(options.regions[1]),
    )
    return replace(options, mask=mask, regions=regions)


def visible_colors(pixels: Tensor, opacity: Image.Image | None) -> Tensor:
    """Return the colors of the visible pixels, or of all pixels if none is visible.

    Args:
        pixels: ``(3, H, W)`` in [0, 1].
        opacity: Alpha channel of size ``(W, H)``; None if all pixels are opaque.

    Returns:
        ``(3, N)`` in [0, 1], on the CPU.
    """
    colors = pixels.cpu().flatten(1)
    if opacity is None or opacity.getextrema() == (0, 0):
        return colors
    return colors[:, torch.from_numpy(np.array(opacity).ravel() > 0)]
