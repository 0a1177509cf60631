"""Color preservation: a painting's strokes with a photograph's colors.

Both methods are from Gatys, Bethge, Hertzmann and Shechtman: Preserving Color in Neural Artistic
Style Transfer, 2016, arXiv 1606.05897.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.ops.whitening import whiten_and_color

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma of ITU-R BT.601, the Y of YCbCr and YIQ."""

ROUNDING = 1e-6
"""Smaller chroma is rounding error; it becomes 0, so that gray stays exactly gray."""


def luma(images: Tensor) -> Tensor:
    """Luma ``(…, 1, H, W)`` of RGB images ``(…, 3, H, W)`` in [0, 1]."""
    shares = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return (images * shares[:, None, None]).sum(dim=-3, keepdim=True)


def keep_chroma(stylized: Tensor, content: Tensor) -> Tensor:
    """Combine the luma of a stylized image with the chroma of its content (Gatys, section 4).

    Luma and chroma are those of YCbCr, computed on sRGB values and not on linear light: equal
    steps look about equal, and colors of dark pixels are not amplified. Chroma that does not fit
    into RGB at the given luma shrinks and keeps its hue. Gray content gives gray.

    Args:
        stylized: Stylized RGB images ``(…, 3, H, W)`` in [0, 1].
        content: Content images of the same shape, in [0, 1].

    Returns:
        RGB images of the same shape, in [0, 1].
    """
    brightness = luma(stylized)
    chroma = F.hardshrink(content - luma(content), ROUNDING)
    room = torch.where(chroma > 0, 1 - brightness, brightness)
    fits = (room / chroma.abs().clamp(min=ROUNDING)).amin(dim=-3, keepdim=True).clamp(max=1)
    return (brightness + fits * chroma).clamp(0, 1)


def match_colors(painting: Tensor, colors: Tensor) -> Tensor:
    """Give a painting the mean and covariance of other colors (Gatys, section 3).

    The linear map is the symmetric one of Image Analogies, ``Σ_colors^½ · Σ_painting^-½``, which
    Gatys et al. prefer to Cholesky's. Directions in which the painting varies by less than one of
    256 levels are not stretched: a painting of one color stays one color, and gray colors give a
    gray painting.

    Args:
        painting: RGB ``(3, H, W)`` in [0, 1].
        colors: RGB ``(3, …)`` in [0, 1], 2 pixels or more.

    Returns:
        RGB ``(3, H, W)`` in [0, 1].
    """
    return whiten_and_color(painting[None], colors.reshape(1, 3, 1, -1))[0].clamp(0, 1)


def is_gray(image: Tensor) -> bool:
    """Whether the three channels of an RGB image ``(3, …)`` are equal everywhere."""
    return bool((image == image[:1]).all())
