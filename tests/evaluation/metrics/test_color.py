from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from datnet.evaluation.metrics import Picture
from datnet.evaluation.metrics.color import ColorDistance, color_histogram, hellinger_distance


def flat(red: float, green: float, blue: float, size: int = 8) -> Tensor:
    return torch.tensor([red, green, blue])[None, :, None, None].expand(1, 3, size, size)


def by_loops(image: Tensor) -> Tensor:
    """The definition, pixel by pixel and bin by bin."""
    bins = [-3 + 6 * i / 63 for i in range(64)]
    histogram = torch.zeros(3, 64, 64, dtype=torch.float64)
    for pixel in image[0].flatten(1).T.tolist():
        intensity = math.sqrt(sum(value**2 for value in pixel) + 1e-6)
        logs = [math.log(value + 1e-6) for value in pixel]
        for channel, first, second in ((0, 1, 2), (1, 0, 2), (2, 0, 1)):
            u, v = logs[channel] - logs[first], logs[channel] - logs[second]
            along_u, along_v = (
                torch.tensor([1 / (1 + ((x - b) / 0.02) ** 2) for b in bins]) for x in (u, v)
            )
            histogram[channel] += intensity * along_u[:, None] * along_v
    return histogram / (histogram.sum() + 1e-6)


def test_histogram_is_that_of_the_definition() -> None:
    image = torch.rand(1, 3, 3, 4)
    torch.testing.assert_close(
        color_histogram(image).double(), by_loops(image), rtol=1e-3, atol=1e-7
    )
    assert color_histogram(image).sum().item() == pytest.approx(1, abs=1e-5)


def test_brightness_does_not_count_and_hue_does() -> None:
    gray, bright = color_histogram(flat(0.2, 0.2, 0.2)), color_histogram(flat(0.8, 0.8, 0.8))
    red = color_histogram(flat(0.8, 0.1, 0.1))
    assert hellinger_distance(gray, bright) == pytest.approx(0, abs=1e-4)
    assert hellinger_distance(gray, red) > 0.8
    assert hellinger_distance(red, red) == 0


def test_places_do_not_count_and_large_images_are_reduced() -> None:
    metric = ColorDistance()
    image = torch.rand(1, 3, 16, 16)
    turned = Picture(image.flip(3), {})
    assert metric.measure(turned, None, metric.prepare_style(Picture(image, {}))) == (
        pytest.approx(0, abs=1e-6)
    )
    large = flat(0.5, 0.25, 0.125, size=300)
    small = flat(0.5, 0.25, 0.125)
    assert hellinger_distance(color_histogram(large), color_histogram(small)) < 1e-3


def test_black_images_have_a_distance() -> None:
    black = color_histogram(flat(0, 0, 0))
    assert black.isfinite().all()
    assert hellinger_distance(black, black) == 0
