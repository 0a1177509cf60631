"""Distance between the color histograms of a result and its style."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from datnet.evaluation.metrics.metric import Metric, Picture

BINS = 64
LIMIT = 3.0
"""Log ratios of channels are counted in ``BINS`` bins from -3 to 3."""

SIGMA = 0.02
"""Width of the kernel that spreads a pixel over bins."""

LARGEST_SIDE = 256
"""Larger images are resized to 256 × 256, as in StyleID's evaluation."""

EPSILON = 1e-6


def color_histogram(image: Tensor) -> Tensor:
    """RGB-uv histogram of an image (Afifi, Brubaker, Brown, *HistoGAN*, CVPR 2021, section 3.1).

    For each channel, ``u`` and ``v`` are the logarithms of its ratios to the two others. A pixel
    counts with its intensity ``sqrt(R² + G² + B²)`` in all bins, by the inverse-quadratic kernel
    ``1 / (1 + (distance / 0.02)²)`` along u times the same along v.

    Args:
        image: ``(1, 3, H, W)``, float RGB in [0, 1].

    Returns:
        ``(3, 64, 64)`` with sum 1; all 0 for a black image.
    """
    if max(image.shape[2:]) > LARGEST_SIDE:
        # Without antialiasing, as the published evaluation does.
        image = functional.interpolate(image, (LARGEST_SIDE, LARGEST_SIDE), mode="bilinear")
    pixels = image[0].flatten(1)
    intensity = (pixels.square().sum(0) + EPSILON).sqrt()
    logarithms = (pixels + EPSILON).log()
    histograms = []
    for channel, first, second in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
        along_u = _kernel(logarithms[channel] - logarithms[first])
        along_v = _kernel(logarithms[channel] - logarithms[second])
        histograms.append((along_u * intensity) @ along_v.T)
    histogram = torch.stack(histograms)
    return histogram / (histogram.sum() + EPSILON)


def histogram_of(picture: Picture) -> Tensor:
    """Return the RGB-uv histogram of a picture."""
    return color_histogram(picture.pixels)


def _kernel(values: Tensor) -> Tensor:
    """Return the weight of each pixel in each bin, ``(bins, pixels)``."""
    bins = torch.linspace(-LIMIT, LIMIT, BINS, dtype=values.dtype, device=values.device)
    return 1 / (1 + ((values - bins[:, None]) / SIGMA).square())


def hellinger_distance(first: Tensor, second: Tensor) -> float:
    """Hellinger distance of two histograms: 0 if they are equal, 1 if no bin is in both."""
    return (first.sqrt() - second.sqrt()).square().sum().sqrt().item() / math.sqrt(2)


class ColorDistance(Metric):
    """Hellinger distance of the RGB-uv histograms of result and style.

    The color loss of HistoGAN (Afifi, Brubaker, Brown, CVPR 2021), as measured by StyleID (Chung
    et al., CVPR 2024). It is about color ratios, and neither about lightness nor about strokes.
    """

    key = "color_distance"
    label = "color (RGB-uv)"
    better = "low"
    decimals = 4
    source = "Afifi et al., CVPR 2021, as in StyleID, CVPR 2024"
    words = (
        "color (RGB-uv) (Hellinger distance of RGB-uv histograms to the style image, 64 bins, "
        "σ 0.02, at 256×256 at most)"
    )

    def prepare_style(self, style: Picture) -> Tensor:
        return style.once(histogram_of)

    def measure(self, result: Picture, content: None, style: Tensor) -> float:
        return hellinger_distance(result.once(histogram_of), style)
