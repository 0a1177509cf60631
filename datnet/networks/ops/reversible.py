"""A reversible residual network (i-RevNet, Jacobsen, Smeulders and Oyallon, ICLR 2018).

Features travel in two halves of equal shape. Every block has an exact :meth:`inverse`; nothing is
lost but rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.ops.convolution import Convolution

Halves = tuple[Tensor, Tensor]

STAGES = ((16, 1), (64, 2), (256, 2))
"""Channels of each half and stride of the first block, for every stage."""
BLOCKS_PER_STAGE = 10
REFINEMENT_BLOCKS = 2
REDUCTION = 4
"""What sides of images must be a multiple of: the product of the strides."""


def squares_to_channels(features: Tensor) -> Tensor:
    """Make channels of every 2 × 2 positions: ``(B, C, H, W)`` to ``(B, 4C, H/2, W/2)``.

    Channel ``(2y + x) · C + c`` is channel ``c`` at row ``y`` and column ``x`` of the square, the
    order of the published weights.
    """
    return F.pixel_unshuffle(features, 2).unflatten(1, (-1, 4)).transpose(1, 2).flatten(1, 2)


def channels_to_squares(features: Tensor) -> Tensor:
    """Undo :func:`squares_to_channels`."""
    return F.pixel_shuffle(features.unflatten(1, (4, -1)).transpose(1, 2).flatten(1, 2), 2)


def convolution(in_channels: int, out_channels: int, stride: int = 1) -> Convolution:
    """A 3 × 3 convolution with reflection at the border and a bias that starts at zero."""
    layer = Convolution(in_channels, out_channels, stride=stride)
    nn.init.zeros_(layer.bias)
    return layer


class ReversibleBlock(nn.Module):
    """``(a, b)`` becomes ``(b, a + shift(b))``.

    Args:
        channels: Channels of each half of the output.
        stride: 2 if squares of 2 × 2 positions become channels; the halves of the input then have
            a quarter of the channels.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.shift = nn.Sequential(
            convolution(channels // stride**2, channels // 4, stride),
            nn.ReLU(inplace=True),
            convolution(channels // 4, channels // 4),
            nn.ReLU(inplace=True),
            convolution(channels // 4, channels),
        )

    def forward(self, halves: Halves) -> Halves:
        """Transform two halves ``(B, channels / stride², H, W)``."""
        first, second = halves
        shift = self.shift(second)
        if self.stride == 2:
            first, second = squares_to_channels(first), squares_to_channels(second)
        return second, first + shift

    def inverse(self, halves: Halves) -> Halves:
        """Undo :meth:`forward`."""
        second, shifted = halves
        if self.stride == 2:
            second = channels_to_squares(second)
        first = shifted - self.shift(second)
        if self.stride == 2:
            first = channels_to_squares(first)
        return first, second


class ReversibleNetwork(nn.Module):
    """From images to maps that hold all of them, and back. 4 089 936 parameters.

    Images get 29 channels of zeros and go through 30 blocks to 512 channels at a quarter of their
    sides. Two more blocks refine these (channel refinement), and then channels are spread to
    positions again, which leaves fewer channels and hence a smaller covariance.

    Going back drops the 29 channels: what an image is encoded to decodes to that image, but other
    maps are not what their decoded image encodes to.

    Args:
        spreads: How often channels become squares of 2 × 2 positions: maps have ``512 / 4^spreads``
            channels at ``2^spreads / 4`` of the image's sides.
    """

    def __init__(self, spreads: int) -> None:
        super().__init__()
        self.spreads = spreads
        self.blocks = nn.ModuleList(
            ReversibleBlock(channels, stride if index == 0 else 1)
            for channels, stride in STAGES
            for index in range(BLOCKS_PER_STAGE)
        )
        self.refinement = nn.ModuleList(
            ReversibleBlock(STAGES[-1][0]) for _ in range(REFINEMENT_BLOCKS)
        )
        self.padding = 2 * STAGES[0][0] - 3
        """How many channels of zeros images get."""

    def forward(self, images: Tensor) -> Tensor:
        """The maps of images ``(B, 3, H, W)``, H and W multiples of 4."""
        halves: Halves = tuple(F.pad(images, (0, 0, 0, 0, 0, self.padding)).chunk(2, dim=1))  # type: ignore[assignment]
        for block in (*self.blocks, *self.refinement):
            halves = block(halves)
        maps = torch.cat(halves, dim=1)
        for _ in range(self.spreads):
            maps = channels_to_squares(maps)
        return maps

    def inverse(self, maps: Tensor) -> Tensor:
        """Undo :meth:`forward`."""
        for _ in range(self.spreads):
            maps = squares_to_channels(maps)
        halves: Halves = tuple(maps.chunk(2, dim=1))  # type: ignore[assignment]
        for block in reversed((*self.blocks, *self.refinement)):
            halves = block.inverse(halves)
        return halves[0][:, :3]
