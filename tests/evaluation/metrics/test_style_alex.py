from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from datnet.evaluation.metrics import Picture
from datnet.evaluation.metrics.alexnet import AlexNet
from datnet.evaluation.metrics.sifid import SingleImageFrechetDistance
from datnet.evaluation.metrics.style_alex import AlexNetStyleDistance, relative_distance
from datnet.networks.vgg import IMAGENET_MEAN, IMAGENET_STD
from datnet.zoo.backbones import BACKBONES


def random_weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        key: torch.randn(shape, generator=generator) * 0.05
        for key, shape in BACKBONES["alexnet"].shapes.items()
    }


class Halves(nn.Module):
    """Two feature maps: the image, and twice the image."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images, 2 * images]


def picture(pixels: Tensor) -> Picture:
    return Picture(pixels, {"alexnet": Halves()})


def test_alexnet_is_that_of_the_paper() -> None:
    weights = random_weights()
    image = torch.rand(1, 3, 63, 80)
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    features, expected = (image - mean) / std, []
    for index, stride, padding, pooled in (
        (0, 4, 2, False),
        (3, 1, 2, True),
        (6, 1, 1, True),
        (8, 1, 1, False),
        (10, 1, 1, False),
    ):
        if pooled:
            features = functional.max_pool2d(features, 3, 2)
        kernel, bias = weights[f"features.{index}.weight"], weights[f"features.{index}.bias"]
        features = functional.conv2d(features, kernel, bias, stride, padding).relu()
        expected.append(features)
    levels = AlexNet(weights)(image)
    assert [level.shape[1] for level in levels] == [64, 192, 384, 256, 256]
    for level, by_hand in zip(levels, expected, strict=True):
        torch.testing.assert_close(level, by_hand)


def test_relative_distance_by_hand() -> None:
    one, two = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])
    style = [(one, two)]  # |m|² + |d|² = 25
    assert relative_distance([(one, two)], style) == 0
    assert relative_distance([(0 * one, 0 * two)], style) == pytest.approx(1)
    assert relative_distance([(one, two / 2)], style) == pytest.approx(4 / 25)
    flat = [(0 * one, 0 * one)]
    assert relative_distance(flat, flat) == 0


def test_layers_of_other_scales_count_alike() -> None:
    metric = AlexNetStyleDistance()
    content, style = torch.rand(2, 1, 3, 8, 8)
    measured = metric.measure(picture(content), None, metric.prepare_style(picture(style)))
    # Both layers are the image up to a factor, so the mean is that of one of them.
    statistics = [(image.mean((0, 2, 3)), image.std((0, 2, 3), correction=0)) for image in
                  (content, style)]  # fmt: skip
    assert measured == pytest.approx(relative_distance([statistics[0]], [statistics[1]]), rel=1e-5)
    assert metric.measure(picture(style), None, metric.prepare_style(picture(style))) == 0


def test_small_pictures_have_a_distance() -> None:
    """AlexNet's deepest maps of 32 × 32 pixels have one position."""
    network = {"alexnet": AlexNet(random_weights())}
    metric = AlexNetStyleDistance()
    first, second = (Picture(torch.rand(1, 3, 32, 32), network) for _ in range(2))
    assert 0 < metric.measure(first, None, metric.prepare_style(second)) < 10


def test_sifid_of_shifted_pixels_by_hand() -> None:
    """A constant added to all features moves the mean alone: the distance is its square."""
    metric = SingleImageFrechetDistance()
    style = torch.rand(1, 3, 16, 16)
    assert metric.measure(picture(style), None, metric.prepare_style(picture(style))) == (
        pytest.approx(0, abs=1e-6)
    )
    shifted = metric.measure(picture(style + 0.5), None, metric.prepare_style(picture(style)))
    assert shifted == pytest.approx(3 * 0.25, rel=1e-4)
    shuffled = style.flatten(2)[..., torch.randperm(256)].reshape(style.shape)
    places = metric.measure(picture(shuffled), None, metric.prepare_style(picture(style)))
    assert places == pytest.approx(0, abs=1e-6)
