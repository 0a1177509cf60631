"""What stands in every table beside the networks, so that its numbers can be read."""

from __future__ import annotations

from collections.abc import Callable

import torch
from skimage.exposure import match_histograms
from torch import Tensor

Stylize = Callable[[Tensor, Tensor], Tensor]
"""From content and style, each ``(1, 3, S, S)`` in [0, 1], to the result ``(1, 3, S, S)``."""


def identity(content: Tensor, style: Tensor) -> Tensor:
    """Control: the result is the content image. Wins all metrics of closeness to the content."""
    return content


def style_copy(content: Tensor, style: Tensor) -> Tensor:
    """Control: the result is the style image. Wins the style distance."""
    return style


def histogram_match(content: Tensor, style: Tensor) -> Tensor:
    """Control: the content in the style's colors, by matching the histogram of each channel.

    The least that a style transfer does, and no style: what it gains against `identity` in style
    distance is owed to colors alone.
    """
    matched = match_histograms(content.cpu().numpy(), style.cpu().numpy(), channel_axis=1)
    return torch.from_numpy(matched).to(content)


CONTROLS: dict[str, Stylize] = {
    "identity": identity,
    "style copy": style_copy,
    "histogram match": histogram_match,
}
"""By title."""
