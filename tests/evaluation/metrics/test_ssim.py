from __future__ import annotations

import numpy as np
import pytest

from datnet.evaluation.measuring import Metrics, round_to_8_bits
from tests.helpers.measuring import random_picture


def slow_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """SSIM of Wang et al. (2004), equation 13, window by window, with reflected borders."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = 0.01**2, 0.03**2
    total = 0.0
    for channel in range(3):
        a, b = (np.pad(image[channel], 5, mode="reflect") for image in (x, y))
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                p, q = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
                mean_p, mean_q = (window * p).sum(), (window * q).sum()
                var_p = (window * (p - mean_p) ** 2).sum()
                var_q = (window * (q - mean_q) ** 2).sum()
                covariance = (window * (p - mean_p) * (q - mean_q)).sum()
                total += ((2 * mean_p * mean_q + c1) * (2 * covariance + c2)) / (
                    (mean_p**2 + mean_q**2 + c1) * (var_p + var_q + c2)
                )
    return total / x.size


def test_ssim_agrees_with_the_formula(measuring: Metrics) -> None:
    output, content = random_picture(0), random_picture(1)
    output = round_to_8_bits(0.6 * content + 0.4 * output)
    expected = slow_ssim(output[0].double().numpy(), content[0].double().numpy())
    assert 0.2 < expected < 0.95
    assert measuring(output, content, random_picture(2))["ssim"] == pytest.approx(
        expected, abs=1e-5
    )
