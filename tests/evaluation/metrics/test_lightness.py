from __future__ import annotations

import numpy as np
import pytest
import torch

from datnet.evaluation.metrics import Picture
from datnet.evaluation.metrics.lightness import LightnessDifference, mean_lightness


def gray(level: float, size: int = 8) -> Picture:
    return Picture(torch.full((1, 3, size, size), level / 255), {})


def by_hand(level: float) -> float:
    """L* of a gray of sRGB: IEC 61966-2-1, then CIE 15, without the straight parts near black."""
    return 116 * (((level / 255 + 0.055) / 1.055) ** 2.4) ** (1 / 3) - 16


def test_lightness_of_grays_by_hand() -> None:
    assert mean_lightness(gray(0)) == pytest.approx(0, abs=1e-6)
    assert mean_lightness(gray(255)) == pytest.approx(100, abs=1e-4)
    assert mean_lightness(gray(119)) == pytest.approx(50.03, abs=0.01)  # the middle gray of cards
    assert mean_lightness(gray(200)) == pytest.approx(by_hand(200), abs=1e-3)


def test_lightness_is_averaged_after_it_is_computed() -> None:
    """Half black and half white is 50, not the lightness of the mean color."""
    picture = gray(0)
    picture.pixels[..., :4] = 1
    assert mean_lightness(picture) == pytest.approx(50, abs=1e-4)


def test_a_dark_result_is_negative_and_sizes_may_differ() -> None:
    metric = LightnessDifference()
    style = metric.prepare_style(gray(200, size=12))
    assert metric.measure(gray(80), None, style) == pytest.approx(
        by_hand(80) - by_hand(200), abs=1e-3
    )
    assert metric.measure(gray(200), None, style) == pytest.approx(0, abs=1e-9)
    assert metric.measure(gray(255), None, style) > 0


def test_colors_count_by_luminance() -> None:
    green, blue = (torch.zeros(1, 3, 4, 4) for _ in range(2))
    green[:, 1] = blue[:, 2] = 1
    assert mean_lightness(Picture(green, {})) == pytest.approx(87.74, abs=0.02)
    assert mean_lightness(Picture(blue, {})) == pytest.approx(32.30, abs=0.02)


def test_the_best_is_zero() -> None:
    metric = LightnessDifference()
    assert metric.arrow == "→0"
    ranked = sorted([-8.0, 1.0, -0.5, 20.0], key=metric.quality, reverse=True)
    assert np.array_equal(ranked, [-0.5, 1.0, -8.0, 20.0])
