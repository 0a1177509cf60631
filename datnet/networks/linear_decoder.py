"""Decoders that are found in closed form: the linear map that undoes a level of VGG best.

A level is a few convolutions with ReLUs and a pooling. No linear map undoes them, but the one with
the smallest squared error over photographs is known without training, by least squares.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.ops.convolution import Convolution, reflect_border

KERNEL = 3

RIDGE = 1e-3
"""Added to the covariance of the inputs, times its mean variance. Pictures of photographs that were
not fitted come out alike from 1e-3 to 1e-6."""


class LinearDecoder(nn.Module):
    """From the maps of one level of the encoder back to those of the level before it.

    A 3 × 3 convolution makes every square of 2 × 2 positions of the larger map from the positions
    around it in the smaller one.

    Args:
        in_channels: Of the level.
        out_channels: Of the level before it, or 3 for the image.
        enlarge: Whether the level before it has twice the sides; else both have the same size.
    """

    def __init__(self, in_channels: int, out_channels: int, *, enlarge: bool) -> None:
        super().__init__()
        self.enlargement = 2 if enlarge else 1
        self.convolution = Convolution(in_channels, out_channels * self.enlargement**2, KERNEL)

    def forward(self, features: Tensor) -> Tensor:
        """Maps ``(B, C, H, W)`` to ``(B, C', H, W)`` or ``(B, C', 2H, 2W)``."""
        return F.pixel_shuffle(self.convolution(features), self.enlargement)


class LeastSquares:
    """The sums from which the best :class:`LinearDecoder` follows.

    Args:
        decoder: Gets its weights by :meth:`solve`.
    """

    def __init__(self, decoder: LinearDecoder) -> None:
        self.decoder = decoder
        convolution = decoder.convolution
        inputs = convolution.in_channels * KERNEL**2 + 1  # the last one is 1, for the bias
        self.products = torch.zeros(inputs, inputs)
        self.targets = torch.zeros(inputs, convolution.out_channels)

    def add(self, features: Tensor, target: Tensor, positions: Tensor) -> None:
        """Take in what the decoder is to make of some positions of a picture.

        Args:
            features: Maps of a level, ``(1, C, H, W)``.
            target: Maps of the level before it, ``(1, C', H, W)`` or ``(1, C', 2H, 2W)``.
            positions: Numbers of positions of ``features``, row by row, ``(N,)``.
        """
        row, column = positions // features.shape[3], positions % features.shape[3]
        padded = reflect_border(features)[0]
        neighbours = [
            padded[:, row + below, column + right]
            for below in range(KERNEL)
            for right in range(KERNEL)
        ]
        inputs = torch.stack(neighbours, dim=1).flatten(0, 1)
        inputs = torch.cat([inputs, torch.ones(1, len(positions))])
        squares = F.pixel_unshuffle(target, self.decoder.enlargement)[0, :, row, column]
        self.products += inputs @ inputs.T
        self.targets += inputs @ squares.T

    def solve(self) -> None:
        """Give the decoder the weights with the smallest squared error."""
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
