"""Reversible networks in the manner of Glow (Kingma and Dhariwal, NeurIPS 2018, arXiv 1807.03039).

Every layer has an exact :meth:`inverse`; nothing is lost but rounding. Determinants, which training
by likelihood would need, are not computed.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

SMALLEST_DEVIATION = 1e-3
"""A channel that varies less than this over the first batch is not scaled by :class:`ActNorm`."""


def mean_over_processes(values: Tensor) -> Tensor:
    """The mean of what all training processes pass; the values themselves if there is one."""
    if distributed.is_available() and distributed.is_initialized():
        values = values.clone()
        distributed.all_reduce(values)
        values /= distributed.get_world_size()
    return values


class ActNorm(nn.Module):
    """One shift and one factor per channel, ``y = scale · (x + loc)``.

    The first batch that is seen in training mode sets them so that every channel of the output has
    mean 0 and variance 1; from then on they are ordinary parameters. Before that the layer changes
    nothing. ``initialized`` is part of the state, so a trained layer that is loaded stays as it is.

    All processes of a distributed training take the moments of all their batches together:
    parameters are only ever synchronised through gradients, so what differs once differs for ever.

    A channel that is constant over the batch keeps a ``scale`` of 1. The published ``1 / (std +
    1e-6)`` makes a million of it, and infinity of sixteen such layers one after the other.

    Args:
        channels: Channels of input and output.
    """

    initialized: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.register_buffer("initialized", torch.tensor(False))

    @torch.no_grad()
    def initialize(self, features: Tensor) -> None:
        """Set the parameters from ``(B, C, H, W)``, equally large in all processes."""
        mean = mean_over_processes(features.mean((0, 2, 3), keepdim=True))
        variance = mean_over_processes((features - mean).square().mean((0, 2, 3), keepdim=True))
        deviation = variance.sqrt()
        self.loc.copy_(-mean)
        self.scale.copy_((1 / deviation).where(deviation > SMALLEST_DEVIATION, 1))
        self.initialized.fill_(True)

    def forward(self, features: Tensor) -> Tensor:
        """Normalise ``(B, C, H, W)``."""
        if self.training and not self.initialized:
            self.initialize(features)
        return self.scale * (features + self.loc)

    def inverse(self, features: Tensor) -> Tensor:
        """Undo :meth:`forward`."""
        return features / self.scale - self.loc


class InvertibleMixing(nn.Module):
    """Glow's invertible 1 × 1 convolution: one square matrix mixes the channels of every position.

    The matrix is ``P (L + I) (U + diag(sign · exp(log_diagonal)))`` with a fixed permutation P and
    fixed signs, so it stays invertible whatever the training does. It starts as a random rotation.

    It is applied as a matrix product, not as a convolution: on recent GPUs torch lets convolutions
    round their inputs to 10 bits (TF32). Sixteen such layers and their inverses would return an
    image to 0.01 only; couplings, which subtract what they added, bear it.

    Args:
        channels: Channels of input and output.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        rotation = nn.init.orthogonal_(torch.empty(channels, channels))
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", diagonal.sign())
        # Whole matrices, as published, of which only the parts beside the diagonal count.
        self.lower = nn.Parameter(lower)
        self.upper = nn.Parameter(upper)
        self.log_diagonal = nn.Parameter(diagonal.abs().log())

    def factors(self) -> tuple[Tensor, Tensor]:
        """The lower triangular factor, which has a diagonal of ones, and the upper one."""
        ones = torch.ones_like(self.log_diagonal)
        return (
            self.lower.tril(-1) + ones.diag(),
            self.upper.triu(1) + (self.sign * self.log_diagonal.exp()).diag(),
        )

    def matrix(self) -> Tensor:
        """The matrix ``(C, C)``."""
        lower, upper = self.factors()
        return self.permutation @ lower @ upper

    def inverse_matrix(self) -> Tensor:
        """Its inverse: two triangular systems of C equations, solved once for all positions."""
        lower, upper = self.factors()
        half = torch.linalg.solve_triangular(
            lower, self.permutation.mT, upper=False, unitriangular=True
        )
        return torch.linalg.solve_triangular(upper, half, upper=True)

    def forward(self, features: Tensor) -> Tensor:
        """Mix the channels of ``(B, C, H, W)``."""
        return mix_channels(self.matrix(), features)

    def inverse(self, features: Tensor) -> Tensor:
        """Undo :meth:`forward`."""
        return mix_channels(self.inverse_matrix(), features)


def mix_channels(matrix: Tensor, features: Tensor) -> Tensor:
    """Multiply the channels of every position of ``(B, C, H, W)`` by a matrix ``(C, C)``."""
    return (matrix @ features.flatten(2)).view(features.shape)


class FixedMixing(nn.Module):
    """A trained :class:`InvertibleMixing` with both of its matrices computed once, for export.

    Args:
        mixing: The trained layer.
    """

    matrix: Tensor
    inverse_matrix: Tensor

    def __init__(self, mixing: InvertibleMixing) -> None:
        super().__init__()
        self.register_buffer("matrix", mixing.matrix().detach())
        self.register_buffer("inverse_matrix", mixing.inverse_matrix().detach())

    def forward(self, features: Tensor) -> Tensor:
        """Mix the channels of ``(B, C, H, W)``."""
        return mix_channels(self.matrix, features)

    def inverse(self, features: Tensor) -> Tensor:
        """Undo :meth:`forward`."""
        return mix_channels(self.inverse_matrix, features)


class ZeroConvolution(nn.Module):
    """A 3 × 3 convolution that starts at zero, times a learned ``exp(3 · scale)`` per channel.

    It sees where an image ends, since the border is filled with ones.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, 3)
        nn.init.zeros_(self.convolution.weight)
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]
        self.scale = nn.Parameter(torch.zeros(1, out_channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Convolve ``(B, C, H, W)``."""
        padded = F.pad(features, (1, 1, 1, 1), value=1)
        return self.convolution(padded) * torch.exp(3 * self.scale)


class AdditiveCoupling(nn.Module):
    """The second half of the channels is shifted by what a small network sees in the first half.

    Args:
        channels: Channels of input and output, an even number.
        width: Channels inside the small network.
    """

    def __init__(self, channels: int, width: int = 512) -> None:
        super().__init__()
        first = nn.Conv2d(channels // 2, width, 3, padding=1)
        second = nn.Conv2d(width, width, 1)
        for layer in (first, second):
            nn.init.normal_(layer.weight, std=0.05)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.shift = nn.Sequential(
            first,
            nn.ReLU(inplace=True),
            second,
            nn.ReLU(inplace=True),
            ZeroConvolution(width, channels // 2),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Shift the second half of ``(B, C, H, W)``."""
        kept, shifted = features.chunk(2, dim=1)
        return torch.cat([kept, shifted + self.shift(kept)], dim=1)

    def inverse(self, features: Tensor) -> Tensor:
        """Undo :meth:`forward`."""
        kept, shifted = features.chunk(2, dim=1)
        return torch.cat([kept, shifted - self.shift(kept)], dim=1)


class FlowStep(nn.Module):
    """One step of Glow: normalise, mix the channels, shift one half by the other.

    Args:
        channels: Channels of input and output, an even number.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ActNorm(channels)
        self.mixing = InvertibleMixing(channels)
        self.coupling = AdditiveCoupling(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Transform ``(B, C, H, W)``."""
        return self.coupling(self.mixing(self.norm(features)))

    def inverse(self, features: Tensor) -> Tensor:
        """Undo :meth:`forward`."""
        return self.norm.inverse(self.mixing.inverse(self.coupling.inverse(features)))


class FlowBlock(nn.Module):
    """Squares of 2 × 2 positions become channels, then some steps follow.

    Args:
        channels: Channels of the input; the output has four times as many.
        steps: Number of steps.
    """

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(FlowStep(4 * channels) for _ in range(steps))

    def forward(self, features: Tensor) -> Tensor:
        """Transform ``(B, C, H, W)`` with even H and W to ``(B, 4C, H/2, W/2)``."""
        features = F.pixel_unshuffle(features, 2)
        for step in self.steps:
            features = step(features)
        return features

    def inverse(self, features: Tensor) -> Tensor:
        """Undo :meth:`forward`."""
        for step in reversed(self.steps):
            features = step.inverse(features)  # type: ignore[operator]
        return F.pixel_shuffle(features, 2)


class Flow(nn.Module):
    """Blocks one after the other; unlike in Glow all channels go through all of them.

    Args:
        channels: Channels of the input.
        blocks: Number of blocks; each halves the sides.
        steps: Steps per block.
    """

    def __init__(self, channels: int = 3, blocks: int = 2, steps: int = 8) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(FlowBlock(channels * 4**i, steps) for i in range(blocks))
        self.reduction = 2**blocks
        """What sides of the input must be a multiple of, and by how much they shrink."""

    def forward(self, features: Tensor) -> Tensor:
        """Transform ``(B, C, H, W)`` to ``(B, C · r², H/r, W/r)`` with r the ``reduction``."""
        for block in self.blocks:
            features = block(features)
        return features

    def inverse(self, features: Tensor) -> Tensor:
        """Undo :meth:`forward`."""
        for block in reversed(self.blocks):
            features = block.inverse(features)  # type: ignore[operator]
        return features
