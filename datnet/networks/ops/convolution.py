"""The convolution of the whole family of networks: with reflection at the border."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.ops import winograd


def reflect_sides(maps: Tensor, left: int, right: int, above: int, below: int) -> Tensor:
    """Extend ``(B, C, H, W)`` by so many reflected pixels at each side."""
    if not torch.are_deterministic_algorithms_enabled():
        return F.pad(maps, (left, right, above, below), mode="reflect")
    for dim, before, behind in ((2, above, below), (3, left, right)):
        # GPUs sum F.pad's gradients in any order.
        size = maps.shape[dim]
        first = maps.narrow(dim, 1, before).flip(dim)
        last = maps.narrow(dim, size - 1 - behind, behind).flip(dim)
        maps = torch.cat([first, maps, last], dim)
    return maps


def reflect_border(maps: Tensor, width: int = 1) -> Tensor:
    """Extend ``(B, C, H, W)`` by reflected pixels at every side, in the type that it has.

    On CPUs autocast would have it in float32, which copies every map twice and computes nothing.
    """
    if not torch.is_autocast_enabled(maps.device.type):
        return reflect_sides(maps, width, width, width, width)
    with torch.autocast(maps.device.type, enabled=False):
        return reflect_sides(maps, width, width, width, width)


class Convolution(nn.Conv2d):
    """A convolution with a bias and reflection at the border; stride 2 halves, rounded up.

    Args:
        in_channels: Of the maps that come in.
        out_channels: Of those that go out.
        kernel_size: Odd.
        stride: 1 keeps the size.
        groups: Of channels that are not mixed with each other.
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
        """``(B, in_channels, H, W)`` to ``(B, out_channels, H / stride, W / stride)``."""
        padded = reflect_border(maps, self.kernel_size[0] // 2)
        if self.is_plain and winograd.pays(padded, self.weight):
            return winograd.convolution(padded, self.weight, self.bias)
        return F.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)
