"""Channel statistics of feature maps, the common currency of this family of networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

VARIANCE_EPSILON = 1e-5


def full_precision(features: Tensor) -> Tensor:
    """Return half-precision features as float32 and leave float32 and float64 as they are.

    Variances and attention moments lose most of their digits in 16 bits, so they are computed in
    full precision even under autocast.
    """
    return features.float() if features.dtype in (torch.float16, torch.bfloat16) else features


def channel_mean_std(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every channel of every image over its positions.

    The variance is unbiased and 1e-5 is added to it before the root, as in all published
    implementations of this family (AdaIN, SANet, AdaAttN, …).

    Args:
        features: Feature maps ``(B, C, H, W)`` with at least two positions.

    Returns:
        Mean and standard deviation, each ``(B, C, 1, 1)``, at least float32.
    """
    if torch.compiler.is_exporting():
        variance, mean = torch.var_mean(full_precision(features), (2, 3), keepdim=True)
    else:
        variance, mean = _VarianceAndMean.apply(features)
    return mean, (variance + VARIANCE_EPSILON).sqrt()


def normalize_channels(features: Tensor) -> Tensor:
    """Give every channel of every image mean 0 and standard deviation 1.

    Args:
        features: Feature maps ``(B, C, H, W)`` with at least two positions.

    Returns:
        ``(features - mean) / std`` of :func:`channel_mean_std`, ``(B, C, H, W)``.
    """
    mean, std = channel_mean_std(features)
    return (full_precision(features) - mean) / std


class _VarianceAndMean(torch.autograd.Function):
    """As ``torch.var_mean``, which takes three to five times as long on a CPU.

    Nothing is kept in full precision for the backward pass, which is one multiplication of the map.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        numbers = full_precision(features)
        if features.device.type == "cpu":
            mean = numbers.mean((2, 3), keepdim=True)
            squares = (numbers - mean).square_().sum((2, 3), keepdim=True)
            variance = squares / (features[0, 0].numel() - 1)
        else:
            variance, mean = torch.var_mean(numbers, (2, 3), keepdim=True)
        ctx.save_for_backward(features, mean)
        return variance, mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_variance: Tensor, of_mean: Tensor) -> Tensor:
        features, mean = ctx.saved_tensors
        positions = features[0, 0].numel()
        scale = of_variance * (2 / (positions - 1))
        return torch.addcmul(of_mean / positions - scale * mean, features, scale).to(features.dtype)
