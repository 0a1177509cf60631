"""Decoders in closed form: the least-squares linear inverse of one VGG level.

A VGG level is a few convolutions with ReLUs and a pooling. No linear map inverts it, but the one
with the smallest squared error over photographs is the solution of a least-squares problem, so it
needs no training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.ops.convolution import Convolution, pad_border

KERNEL = 3

RIDGE = 1e-3
"""Ridge of the least squares, relative to the mean variance of the inputs.

From 1e-3 to 1e-6, images reconstructed from other photographs look the same.
"""


class LinearDecoder(nn.Module):
    """From the features of one encoder level back to those of the level before it.

    A 3 × 3 convolution predicts each 2 × 2 square of the larger map from the neighborhood in the
    smaller one (sub-pixel convolution).

    Args:
        in_channels: Channels of the level.
        out_channels: Channels of the level before it, or 3 for the image.
        enlarge: Whether the level before it has twice the sides; otherwise both have the same size.
    """

    def __init__(self, in_channels: int, out_channels: int, *, enlarge: bool) -> None:
        super().__init__()
        self.enlargement = 2 if enlarge else 1
        self.convolution = Convolution(in_channels, out_channels * self.enlargement**2, KERNEL)

    def forward(self, features: Tensor) -> Tensor:
        """Decode ``(B, C, H, W)`` to ``(B, C', H, W)`` or ``(B, C', 2H, 2W)``."""
        return F.pixel_shuffle(self.convolution(features), self.enlargement)


class LeastSquares:
    """Accumulates the normal equations of a :class:`LinearDecoder`.

    Args:
        decoder: Its weights are set by :meth:`solve`.
    """

    def __init__(self, decoder: LinearDecoder) -> None:
        self.decoder = decoder
        convolution = decoder.convolution
        inputs = convolution.in_channels * KERNEL**2 + 1  # the last one is 1, for the bias
        self.products = torch.zeros(inputs, inputs)
        self.targets = torch.zeros(inputs, convolution.out_channels)

    def add(self, features: Tensor, target: Tensor, positions: Tensor) -> None:
        """Add some positions of one image to the normal equations.

        Args:
            features: Features of a level, ``(1, C, H, W)``.
            target: Features of the level before it, ``(1, C', H, W)`` or ``(1, C', 2H, 2W)``.
            positions: Indices of positions of ``features``, in row-major order, ``(N,)``.
        """
        row, column = positions // features.shape[3], positions % features.shape[3]
        padded = pad_border(features)[0]
        neighbors = [
            padded[:, row + below, column + right]
            for below in range(KERNEL)
            for right in range(KERNEL)
        ]
        inputs = torch.stack(neighbors, dim=1).flatten(0, 1)
        inputs = torch.cat([inputs, torch.ones(1, len(positions))])
        squares = F.pixel_unshuffle(target, self.decoder.enlargement)[0, :, row, column]
        self.products += inputs @ inputs.T
        self.targets += inputs @ squares.T

    def solve(self) -> None:
        """Set the decoder's weights to the least-squares solution."""
        products = self.products.double()
        ridge = RIDGE * products.diagonal().mean() * torch.ones(len(products)).double()
        ridge[-1] = 0  # the bias is free
        factor = torch.linalg.cholesky(products + ridge.diag())
        solution = torch.cholesky_solve(self.targets.double(), factor)
        convolution = self.decoder.convolution
        with torch.no_grad():
            convolution.weight.copy_(solution[:-1].T.reshape(convolution.weight.shape))
            assert convolution.bias is not None
            convolution.bias.copy_(solution[-1])
