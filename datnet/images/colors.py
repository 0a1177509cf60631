"""Colours kept: a painting's strokes with a photograph's colours.

Gatys, Bethge, Hertzmann and Shechtman: Preserving Color in Neural Artistic Style Transfer, 2016,
arXiv 1606.05897, describe both ways.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.ops.whitening import whiten_and_colour

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the luma of ITU-R BT.601, the Y of YCbCr and YIQ."""

ROUNDING = 1e-6
"""Less chroma than this comes of rounding: gray is to stay exactly gray."""


def luma(images: Tensor) -> Tensor:
    """Brightness of RGB images ``(…, 3, H, W)`` in [0, 1]: ``(…, 1, H, W)``."""
    shares = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return (images * shares[:, None, None]).sum(dim=-3, keepdim=True)


def keep_chroma(painted: Tensor, content: Tensor) -> Tensor:
    """Give what was painted the chroma of its content; its own luma stays (Gatys, section 4).

    Luma and chroma are those of YCbCr on the sRGB values as they are, not on linear light: there
    equal steps look about equal, and a dark pixel's colour is not magnified. Where a luma cannot
    have as much chroma inside RGB, the chroma shrinks and keeps its hue. Gray content gives gray.

    Args:
        painted: RGB ``(…, 3, H, W)`` in [0, 1].
        content: Likewise, of the same shape.

    Returns:
        RGB in [0, 1] of that shape.
    """
    brightness = luma(painted)
    chroma = F.hardshrink(content - luma(content), ROUNDING)
    room = torch.where(chroma > 0, 1 - brightness, brightness)
    fits = (room / chroma.abs().clamp(min=ROUNDING)).amin(dim=-3, keepdim=True).clamp(max=1)
    return (brightness + fits * chroma).clamp(0, 1)


def match_colors(painting: Tensor, colors: Tensor) -> Tensor:
    """Give a painting the mean and the covariance of other colours (Gatys, section 3).

    The linear map is the symmetric one of Image Analogies, ``Σ_colors^½ · Σ_painting^-½``, which
    Gatys et al. prefer to Cholesky's. Directions in which the painting hardly varies, by less than
    one of 256 levels, are not stretched: a painting of one colour becomes one colour, and gray
    colours give a gray painting.

    Args:
        painting: RGB ``(3, H, W)`` in [0, 1].
        colors: RGB ``(3, …)`` in [0, 1], any number of pixels from 2.

    Returns:
        RGB ``(3, H, W)`` in [0, 1].
    """
    return whiten_and_colour(painting[None], colors.reshape(1, 3, 1, -1))[0].clamp(0, 1)


def is_gray(image: Tensor) -> bool:
    """Tell whether all pixels of RGB ``(3, …)`` have three equal values."""
    return bool((image == image[:1]).all())
