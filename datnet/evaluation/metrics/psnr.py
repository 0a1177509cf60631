"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

from torch import Tensor

from datnet.evaluation.metrics.metric import Metric, Picture


def peak_signal_to_noise_ratio(image: Tensor, reference: Tensor) -> float:
    """PSNR of an image in dB for a data range of 1: ``-10 log10(mean squared error)``.

    Args:
        image: ``(1, 3, H, W)`` in [0, 1].
        reference: The same shape and range.

    Returns:
        Decibels; infinity for identical images.
    """
    error = (image - reference).square().mean().item()
    return math.inf if error == 0 else -10 * math.log10(error)


class Psnr(Metric):
    """PSNR of result and content; infinite if they are identical."""

    key = "psnr"
    label = "PSNR (dB)"
    better = "high"
    decimals = 2
    source = "mean squared error in dB"
    words = "PSNR against the content image (per image, then averaged)"

    def prepare_content(self, content: Picture) -> Tensor:
        return content.pixels

    def measure(self, result: Picture, content: Tensor, style: None) -> float:
        return peak_signal_to_noise_ratio(result.pixels, content)
