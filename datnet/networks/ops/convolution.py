"""Convolution with reflection padding, the building block of all networks here.

In :func:`circular_borders` the padding is circular instead: opposite edges are neighbors, so that
results tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.ops import winograd

_circular = ContextVar("_circular", default=False)


@contextmanager
def circular_borders(circular: bool = True) -> Iterator[None]:
    """Context in which all padding is circular, in this thread.

    Args:
        circular: False changes nothing.
    """
    token = _circular.set(circular or _circular.get())
    try:
        yield
    finally:
        _circular.reset(token)


def borders_are_circular() -> bool:
    """Whether :func:`circular_borders` is in effect."""
    return _circular.get()


def reflect_sides(maps: Tensor, left: int, right: int, above: int, below: int) -> Tensor:
    """Pad ``(B, C, H, W)`` by reflection, with a separate width for each side.

    Args:
        maps: ``(B, C, H, W)``; each width is smaller than the side that it extends.
        left: Columns added on the left.
        right: Columns added on the right.
        above: Rows added at the top.
        below: Rows added at the bottom.

    Returns:
        ``(B, C, H + above + below, W + left + right)``.
    """
    if not torch.are_deterministic_algorithms_enabled():
        return F.pad(maps, (left, right, above, below), mode="reflect")
    for dim, before, behind in ((2, above, below), (3, left, right)):
        # The backward pass of F.pad is not deterministic on GPUs.
        size = maps.shape[dim]
        first = maps.narrow(dim, 1, before).flip(dim)
        last = maps.narrow(dim, size - 1 - behind, behind).flip(dim)
        maps = torch.cat([first, maps, last], dim)
    return maps


def pad_border(maps: Tensor, width: int = 1) -> Tensor:
    """Pad all four sides, in the dtype of the input.

    The padding is by reflection, or circular in :func:`circular_borders`.

    On the CPU, autocast would run the padding in float32: two copies of every map for an operation
    without arithmetic.

    Args:
        maps: ``(B, C, H, W)``.
        width: Pixels added on each side.

    Returns:
        ``(B, C, H + 2 · width, W + 2 · width)``.
    """
    if not torch.is_autocast_enabled(maps.device.type):
        return _pad(maps, width)
    with torch.autocast(maps.device.type, enabled=False):
        return _pad(maps, width)


def _pad(maps: Tensor, width: int) -> Tensor:
    if borders_are_circular():
        return F.pad(maps, (width, width, width, width), mode="circular")
    return reflect_sides(maps, width, width, width, width)


class BilinearUpsample(nn.Module):
    """Bilinear upsampling by 2; in :func:`circular_borders`, opposite edges are neighbors."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to ``(B, C, 2H, 2W)``."""
        if not borders_are_circular():
            return F.interpolate(maps, scale_factor=2, mode="bilinear")
        enlarged = F.interpolate(_pad(maps, 1), scale_factor=2, mode="bilinear")
        return enlarged[:, :, 2:-2, 2:-2]


class Convolution(nn.Conv2d):
    """Convolution with bias and padding of all sides; stride 2 gives ⌈H/2⌉ × ⌈W/2⌉.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: An odd number.
        stride: 1 keeps the size.
        groups: Groups of a grouped convolution.
    """

    bias: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=kernel_size // 2,
            groups=groups,
            padding_mode="reflect",
        )
        self.is_plain = (kernel_size, stride, groups) == (3, 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(B, in_channels, H, W)`` to ``(B, out_channels, ⌈H/stride⌉, ⌈W/stride⌉)``."""
        padded = pad_border(maps, self.kernel_size[0] // 2)
        if self.is_plain and winograd.pays(padded, self.weight):
            return winograd.convolution(padded, self.weight, self.bias)
        return F.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)
