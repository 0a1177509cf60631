"""Channel statistics of feature maps, the common currency of this family of networks."""

from __future__ import annotations

import torch
from torch import Tensor

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
    variance, mean = torch.var_mean(
        full_precision(features), dim=(2, 3), correction=1, keepdim=True
    )
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
