"""Reversible residual network (i-RevNet, Jacobsen, Smeulders and Oyallon, ICLR 2018).

Features are split into two halves of equal shape. Each block has an exact :meth:`inverse`, up to
rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.ops.convolution import Convolution

Halves = tuple[Tensor, Tensor]

STAGES = ((16, 1), (64, 2), (256, 2))
"""Per stage: channels of each half, and the stride of the first block."""
BLOCKS_PER_STAGE = 10
REFINEMENT_BLOCKS = 2
REDUCTION = 4
"""Image sides must be multiples of this, the product of the strides."""


def squares_to_channels(features: Tensor) -> Tensor:
    """Squeeze (space to depth): ``(B, C, H, W)`` to ``(B, 4C, H/2, W/2)``.

    Output channel ``(2y + x) · C + c`` is channel ``c`` at row ``y`` and column ``x`` of the 2 × 2
    square. This is the channel order of the published weights.
    """
    return F.pixel_unshuffle(features, 2).unflatten(1, (-1, 4)).transpose(1, 2).flatten(1, 2)


def channels_to_squares(features: Tensor) -> Tensor:
    """Inverse of :func:`squares_to_channels` (depth to space)."""
    return F.pixel_shuffle(features.unflatten(1, (4, -1)).transpose(1, 2).flatten(1, 2), 2)


def convolution(in_channels: int, out_channels: int, stride: int = 1) -> Convolution:
    """3 × 3 convolution with reflection padding and zero-initialized bias.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: 1 or 2.

    Returns:
        The layer.
    """
    layer = Convolution(in_channels, out_channels, stride=stride)
    nn.init.zeros_(layer.bias)
    return layer


class ReversibleBlock(nn.Module):
    """Reversible residual block: ``(a, b)`` becomes ``(b, a + shift(b))``.

    Args:
        channels: Channels of each half of the output.
        stride: With 2, the block squeezes: each half of the input has ``channels / 4`` channels and
            twice the sides.
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
        """Transform two halves, each ``(B, channels / stride², H, W)``."""
        first, second = halves
        shift = self.shift(second)
        if self.stride == 2:
            first, second = squares_to_channels(first), squares_to_channels(second)
        return second, first + shift

    def inverse(self, halves: Halves) -> Halves:
        """Inverse of :meth:`forward`."""
        second, shifted = halves
        if self.stride == 2:
            second = channels_to_squares(second)
        first = shifted - self.shift(second)
        if self.stride == 2:
            first = channels_to_squares(first)
        return first, second


class ReversibleNetwork(nn.Module):
    """Reversible network from images to features and back. 4 089 936 parameters.

    Images are padded with 29 zero channels and pass 30 blocks, which end with 512 channels at a
    quarter of the image's sides. Two more blocks follow (channel refinement). Then channels are
    moved back to positions, which leaves fewer channels and so a smaller covariance matrix.

    The inverse drops the 29 padding channels. ``inverse(forward(images))`` is the image, but
    ``forward(inverse(features))`` differs from features that have been changed.

    Args:
        spreads: Number of depth-to-space steps at the end. Features have ``512 / 4^spreads``
            channels and ``2^spreads / 4`` of the image's sides.
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
        """Number of zero channels added to the image."""

    def forward(self, images: Tensor) -> Tensor:
        """Features of images ``(B, 3, H, W)``, with H and W multiples of 4."""
        halves: Halves = tuple(F.pad(images, (0, 0, 0, 0, 0, self.padding)).chunk(2, dim=1))  # type: ignore[assignment]
        for block in (*self.blocks, *self.refinement):
            halves = block(halves)
        maps = torch.cat(halves, dim=1)
        for _ in range(self.spreads):
            maps = channels_to_squares(maps)
        return maps

    def inverse(self, maps: Tensor) -> Tensor:
        """Inverse of :meth:`forward`."""
        for _ in range(self.spreads):
            maps = squares_to_channels(maps)
        halves: Halves = tuple(maps.chunk(2, dim=1))  # type: ignore[assignment]
        for block in reversed((*self.blocks, *self.refinement)):
            halves = block.inverse(halves)
        return halves[0][:, :3]
