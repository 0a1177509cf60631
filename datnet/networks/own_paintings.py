"""Networks that know their paintings: each has parameters of its own and is recognized by look.

Such a network takes no other painting. Wherever a painting is given as pixels (a pair of an
evaluation, a file on the command line, an upload), the network finds out which of its own it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.errors import DatNetError
from datnet.networks.base import StyleTransferNetwork

SIDE = 256
"""Side, in pixels, of the picture that is kept of a painting: the usual crop of a training."""

FREQUENCIES = 8
"""A painting is recognized by its 8 × 8 lowest frequencies per color."""

LARGEST_DIFFERENCE = 0.05
"""Root mean square, in color values of [0, 1], up to which two pictures are the same painting.

Resizing to a sixteenth and JPEG's compression change 0.01 or less; different paintings of a museum
differ by 0.1 and more.
"""

LISTED = 12
"""Most names in a message."""


class OwnPaintings(nn.Module):
    """The paintings of a network: their names and pictures, as buffers ``0``, ``1``, ….

    Until :meth:`show` or a file gives the pictures, every image is taken for the first painting;
    so the cost of a network can be measured.

    Args:
        names: Their names, in order.

    Raises:
        ValueError: If there is none, or a name occurs twice.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        if not names:
            raise ValueError("paintings is empty; a network needs at least one")
        twice = [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
        if twice:
            raise ValueError(f"paintings has {twice[0]} twice")
        self.names = tuple(names)
        for index in range(len(names)):
            blank = torch.zeros(3, SIDE, SIDE, dtype=torch.uint8)
            self.register_buffer(str(index), blank)

    @classmethod
    def of(cls, pictures: Mapping[str, Tensor]) -> OwnPaintings:
        """Return the paintings of these names and pictures, ``(3, H, W)``, uint8."""
        own = cls(list(pictures))
        for index, picture in enumerate(pictures.values()):
            own.register_buffer(str(index), picture)
        return own

    def pictures(self) -> dict[str, Tensor]:
        """The pictures by name, each ``(3, H, W)``, uint8."""
        return {name: getattr(self, str(index)) for index, name in enumerate(self.names)}

    def show(self, name: str, image: Tensor) -> None:
        """Keep the picture of a painting.

        Args:
            name: One of the names.
            image: Its center square or all of it, ``(3, H, W)`` in [0, 1].
        """
        side = min(image.shape[1:])
        top, left = (image.shape[1] - side) // 2, (image.shape[2] - side) // 2
        square = image[None, :, top : top + side, left : left + side]
        small = F.interpolate(square, (SIDE, SIDE), mode="area")[0]
        getattr(self, str(self.names.index(name))).copy_((small * 255).round())

    def recognize(self, images: Tensor) -> Tensor:
        """Find out which paintings images show, by their center squares.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1], of any size.

        Returns:
            Their indices ``(B,)``.

        Raises:
            DatNetError: If one is none of the paintings; the message lists their names. Exported
                networks take the nearest one instead.
        """
        pictures = list(self.pictures().values())
        own = torch.cat([low_frequencies(picture[None] / 255) for picture in pictures])
        difference = low_frequencies(images.detach())[:, None] - own.to(images.device)
        nearest, indices = difference.square().sum(dim=(2, 3, 4)).div(3).sqrt().min(dim=1)
        if torch.compiler.is_exporting():
            return indices
        if not any(picture.any() for picture in pictures):
            return torch.zeros_like(indices)
        if (nearest > LARGEST_DIFFERENCE).any():
            raise DatNetError(f"this network does not know this painting, only {self.listed()}")
        return indices

    def listed(self) -> str:
        """The names in one line; the first ones of many."""
        more = len(self.names) - LISTED
        return ", ".join(self.names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def low_frequencies(images: Tensor) -> Tensor:
    """The lowest frequencies of the center squares, by an orthonormal cosine transform.

    They hardly depend on the size of an image. The root of their sum of squares is the root mean
    square of the smoothed image.

    Args:
        images: ``(B, C, H, W)``.

    Returns:
        ``(B, C, 8, 8)``, float32.
    """
    down, across = (_cosines(side, images) for side in images.shape[2:])
    return down @ images.float() @ across.mT


def _cosines(length: int, images: Tensor) -> Tensor:
    """Cosines of the 8 lowest frequencies over the central square's side: ``(8, length)``."""
    height, width = images.shape[2:]
    side = cast(int, torch.sym_min(height, width))  # sizes are symbols in torch.export
    places = torch.arange(length, device=images.device) + 0.5
    inside = (places - (length - side) // 2) / side  # 0 to 1 in the square
    frequency = torch.arange(FREQUENCIES, device=images.device)[:, None]
    scale = torch.where(frequency == 0, 1.0, 2**0.5) / side
    return torch.cos(torch.pi * frequency * inside) * scale * ((inside > 0) & (inside < 1))


class OwnStyleNetwork(StyleTransferNetwork):
    """A network whose styles are parameters: one set for each of its own paintings.

    Args:
        paintings: Their names, in order; `datnet train` takes those of the files in
            ``data.style_dir``.

    Raises:
        ValueError: If there are none, too many or equal ones.
    """

    most_paintings: int | None = None
    """Number of paintings that a network can have; None for any number."""

    def __init__(self, paintings: Sequence[str]) -> None:
        super().__init__()
        if self.most_paintings is not None and len(paintings) > self.most_paintings:
            raise ValueError(
                f"{type(self).__name__} learns {self.most_paintings} painting, not "
                f"{len(paintings)}; cin learns several"
            )
        self.paintings = OwnPaintings(paintings)

    def style_parameters(self) -> list[nn.Parameter]:
        """The parameters ``(paintings, …)`` whose rows belong to the paintings."""
        raise NotImplementedError

    @torch.no_grad()
    def take_rows(self, names: Sequence[str], tensors: Mapping[str, Tensor]) -> None:
        """Take over the paintings of another network of this class.

        New paintings start from the mean of the known ones.

        Args:
            names: The paintings of the other network.
            tensors: Its state dict.
        """
        rows = {id(each) for each in self.style_parameters()}
        known = [name for name in names if name in self.paintings.names]
        theirs, ours = (
            [list(place).index(name) for name in known] for place in (names, self.paintings.names)
        )
        for key, parameter in self.named_parameters():
            if id(parameter) in rows and key in tensors:
                parameter.copy_(tensors[key].mean(dim=0).expand_as(parameter))
                parameter[ours] = tensors[key][theirs].to(parameter)
        for their, our in zip(theirs, ours, strict=True):
            getattr(self.paintings, str(our)).copy_(tensors[f"paintings.{their}"])
