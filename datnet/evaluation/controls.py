"""Trivial methods that are measured with the networks, as reference points for the metrics."""

from __future__ import annotations

from collections.abc import Callable

import torch
from skimage.exposure import match_histograms
from torch import Tensor

Stylize = Callable[[Tensor, Tensor], Tensor]
"""Maps content and style, each ``(1, 3, S, S)`` in [0, 1], to the result ``(1, 3, S, S)``."""


def identity(content: Tensor, style: Tensor) -> Tensor:
    """Control: return the content image. It is the best in all metrics of content similarity.

    Args:
        content: ``(1, 3, S, S)`` in [0, 1].
        style: Not used.

    Returns:
        The content.
    """
    return content


def style_copy(content: Tensor, style: Tensor) -> Tensor:
    """Control: return the style image. It has the best style distance.

    Args:
        content: Not used.
        style: ``(1, 3, S, S)`` in [0, 1].

    Returns:
        The style.
    """
    return style


def histogram_match(content: Tensor, style: Tensor) -> Tensor:
    """Control: the content with the style's colors, by matching the histogram of each channel.

    It transfers no style beyond colors: its gain in style distance over `identity` is due to colors
    alone.

    Args:
        content: ``(1, 3, S, S)`` in [0, 1].
        style: The same shape and range.

    Returns:
        The recolored content, of the same shape.
    """
    matched = match_histograms(content.cpu().numpy(), style.cpu().numpy(), channel_axis=1)
    return torch.from_numpy(matched).to(content)


CONTROLS: dict[str, Stylize] = {
    "identity": identity,
    "style copy": style_copy,
    "histogram match": histogram_match,
}
"""By title."""
