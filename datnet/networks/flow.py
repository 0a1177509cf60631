"""Normalizing flow in the style of Glow (Kingma and Dhariwal, NeurIPS 2018, arXiv 1807.03039).

Each layer has an exact :meth:`inverse`, up to rounding. Log-determinants, which only likelihood
training needs, are not computed. All layers of the flow are in this file, each with its inverse.
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

SMALLEST_DEVIATION = 1e-3
""":class:`ActNorm` does not scale channels with a smaller standard deviation in the first batch."""


def mean_over_processes(values: Tensor) -> Tensor:
    """Mean over all training processes; the values themselves if there is only one process."""
    if distributed.is_available() and distributed.is_initialized():
        values = values.clone()
        distributed.all_reduce(values)
        values /= distributed.get_world_size()
    return values


class ActNorm(nn.Module):
    """Activation normalization: a shift and a scale per channel, ``y = scale · (x + loc)``.

    Data-dependent initialization: the first batch in training mode sets both so that each channel
    of the output has mean 0 and variance 1. After that they are ordinary parameters. Before it the
    layer is the identity. ``initialized`` is part of the state dict, so a loaded trained layer is
    not initialized again.

    In distributed training the statistics are those of the batches of all processes: only gradients
    are synchronized, so parameters that differ once would always differ.

    A channel that is constant over the batch keeps a ``scale`` of 1. The published
    ``1 / (std + 1e-6)`` would be a million, and infinite over sixteen layers.

    Args:
        channels: Channels of input and output.
    """

    initialized: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.scale = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.register_buffer("initialized", torch.tensor(False))
        # Known on the host: reading the buffer in each step would make a GPU wait.
        self._known_initialized = False
        self.register_load_state_dict_post_hook(_forget_initialization)

    @torch.no_grad()
    def initialize(self, features: Tensor) -> None:
        """Set the parameters from ``(B, C, H, W)``, of the same size in all processes."""
        mean = mean_over_processes(features.mean((0, 2, 3), keepdim=True))
        variance = mean_over_processes((features - mean).square().mean((0, 2, 3), keepdim=True))
        deviation = variance.sqrt()
        self.loc.copy_(-mean)
        self.scale.copy_((1 / deviation).where(deviation > SMALLEST_DEVIATION, 1))
        self.initialized.fill_(True)
        self._known_initialized = True

    def forward(self, features: Tensor) -> Tensor:
        """Normalize ``(B, C, H, W)``."""
        if self.training and not self._known_initialized:
            if not self.initialized:
                self.initialize(features)
            self._known_initialized = True
        return self.scale * (features + self.loc)

    def inverse(self, features: Tensor) -> Tensor:
        """Inverse of :meth:`forward`."""
        return features / self.scale - self.loc


def _forget_initialization(layer: ActNorm, _: object) -> None:
    layer._known_initialized = False


class InvertibleMixing(nn.Module):
    """Invertible 1 × 1 convolution of Glow, LU-parametrized: one matrix mixes the channels.

    The matrix is ``P (L + I) (U + diag(sign · exp(log_diagonal)))`` with a fixed permutation P and
    fixed signs, so it stays invertible during training. It is initialized as a random rotation.

    It is computed as a matrix product, not as a convolution: on recent GPUs torch may round the
    inputs of convolutions to 10 bits (TF32). Sixteen such layers and their inverses would
    reconstruct an image to 0.01 only. The coupling layers tolerate it, since they subtract exactly
    what they added.

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
        # Full matrices, as published; only the parts below and above the diagonal are used.
        self.lower = nn.Parameter(lower)
        self.upper = nn.Parameter(upper)
        self.log_diagonal = nn.Parameter(diagonal.abs().log())

    def factors(self) -> tuple[Tensor, Tensor]:
        """The unit lower triangular factor and the upper triangular factor."""
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
        """The inverse matrix ``(C, C)``, from two triangular systems."""
        lower, upper = self.factors()
        half = torch.linalg.solve_triangular(
            lower, self.permutation.mT, upper=False, unitriangular=True
        )
        return torch.linalg.solve_triangular(upper, half, upper=True)

    def forward(self, features: Tensor) -> Tensor:
        """Mix the channels of ``(B, C, H, W)``."""
        return mix_channels(self.matrix(), features)

    def inverse(self, features: Tensor) -> Tensor:
        """Inverse of :meth:`forward`."""
        return mix_channels(self.inverse_matrix(), features)


def mix_channels(matrix: Tensor, features: Tensor) -> Tensor:
    """Multiply the channels at each position by a matrix.

    Args:
        matrix: ``(C, C)``.
        features: ``(B, C, H, W)``.

    Returns:
        ``(B, C, H, W)``.
    """
    return (matrix @ features.flatten(2)).view(features.shape)


class FixedMixing(nn.Module):
    """A trained :class:`InvertibleMixing` with precomputed matrix and inverse, for export.

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
        """Inverse of :meth:`forward`."""
        return mix_channels(self.inverse_matrix, features)


class ZeroConvolution(nn.Module):
    """Zero-initialized 3 × 3 convolution, scaled by a learned ``exp(3 · scale)`` per channel.

    The padding has the constant value 1, so the layer can detect the image border.

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
    """Additive coupling: a small network of one half of the channels shifts the other half.

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
        """Shift the second half of the channels of ``(B, C, H, W)``."""
        kept, shifted = features.chunk(2, dim=1)
        return torch.cat([kept, shifted + self.shift(kept)], dim=1)

    def inverse(self, features: Tensor) -> Tensor:
        """Inverse of :meth:`forward`."""
        kept, shifted = features.chunk(2, dim=1)
        return torch.cat([kept, shifted - self.shift(kept)], dim=1)


class FlowStep(nn.Module):
    """One step of flow: ActNorm, invertible 1 × 1 convolution, additive coupling.

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
        """Inverse of :meth:`forward`."""
        return self.norm.inverse(self.mixing.inverse(self.coupling.inverse(features)))


class FlowBlock(nn.Module):
    """Squeeze (2 × 2 positions become channels), then several steps of flow.

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
        """Inverse of :meth:`forward`."""
        for step in reversed(self.steps):
            features = step.inverse(features)  # type: ignore[operator]
        return F.pixel_shuffle(features, 2)


class Flow(nn.Module):
    """A sequence of flow blocks, without Glow's multi-scale split.

    Args:
        channels: Channels of the input.
        blocks: Number of blocks; each halves the sides.
        steps: Steps of flow per block.
    """

    def __init__(self, channels: int = 3, blocks: int = 2, steps: int = 8) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(FlowBlock(channels * 4**i, steps) for i in range(blocks))
        self.reduction = 2**blocks
        """Sides of the input must be multiples of this; the output is smaller by this factor."""

    def forward(self, features: Tensor) -> Tensor:
        """Transform ``(B, C, H, W)`` to ``(B, C · r², H/r, W/r)`` with r the ``reduction``."""
        for block in self.blocks:
            features = block(features)
        return features

    def inverse(self, features: Tensor) -> Tensor:
        """Inverse of :meth:`forward`."""
        for block in reversed(self.blocks):
            features = block.inverse(features)  # type: ignore[operator]
        return features
