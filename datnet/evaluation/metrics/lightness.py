"""Lightness of a result relative to its style image."""

from __future__ import annotations

import numpy as np
from skimage.color import rgb2lab

from datnet.evaluation.metrics.metric import Metric, Picture


def mean_lightness(picture: Picture) -> float:
    """Return the mean L* of CIE 1976 L*a*b* (sRGB, D65): 0 for black, 100 for white."""
    pixels = picture.pixels[0].permute(1, 2, 0).cpu().numpy().astype(np.float64)
    return float(rgb2lab(pixels)[..., 0].mean())


class LightnessDifference(Metric):
    """Mean lightness of the result minus that of the style; negative if the result is darker.

    It is signed, so its mean over pairs shows whether results are too dark or too light overall.
    """

    key = "lightness_difference"
    label = "lightness"
    better = "zero"
    decimals = 1
    source = "CIE 1976 L*"
    words = (
        "lightness (mean L* of CIE Lab, 0 to 100, of the result minus that of the style image: "
        "negative where the result is darker)"
    )

    def prepare_style(self, style: Picture) -> float:
        return style.once(mean_lightness)

    def measure(self, result: Picture, content: None, style: float) -> float:
        return result.once(mean_lightness) - style
