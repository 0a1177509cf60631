"""The loss terms against their formulas, written out in tests/helpers/naive.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from datnet.objectives import terms
from tests.helpers import naive


def features(seed: int, height: int = 8, width: int = 12, images: int = 2) -> list[Tensor]:
    """Maps of five levels, each half as large as the one before; channels differ in scale."""
    generator = torch.Generator().manual_seed(seed)
    levels = []
    for level, channels in enumerate((3, 4, 5, 6, 7)):
        size = (max(2, height >> level), max(2, width >> level))
        scale = torch.rand(channels, 1, 1, generator=generator) * 3
        values = torch.randn(images, channels, *size, generator=generator) + 0.5
        levels.append((values * scale).relu())
    return levels


def over_images(formula, *levels: list[Tensor]) -> Tensor:
    """The mean of a formula over the images of a batch."""
    images = range(len(levels[0][0]))
    values = [formula(*(naive.maps(each, image) for each in levels)) for image in images]
    return torch.tensor(np.mean(values), dtype=torch.float32)


CONTENT, OUTPUT, STYLE = features(0), features(1), features(2, 10, 6)


def test_squared_error_in_any_memory_layout() -> None:
    one, other = CONTENT[1], OUTPUT[1]
    expected = over_images(naive.difference, [one], [other])
    torch.testing.assert_close(terms.squared_error(one, other), expected)
    last = one.to(memory_format=torch.channels_last)
    torch.testing.assert_close(terms.squared_error(last, other), expected)


@pytest.mark.parametrize("levels", [(2, 3, 4, 5), (1,), (1, 2, 3, 4)])
def test_global_style(levels: tuple[int, ...]) -> None:
    expected = over_images(lambda o, s: naive.global_style(o, s, levels), OUTPUT, STYLE)
    torch.testing.assert_close(terms.global_style(OUTPUT, STYLE, levels), expected)


@pytest.mark.parametrize("resize", ["bilinear", "nearest"])
@pytest.mark.parametrize("levels", [(3, 4, 5), (2,)])
def test_local_feature(levels: tuple[int, ...], resize: terms.Resize) -> None:
    expected = over_images(
        lambda o, c, s: naive.local_feature(o, c, s, levels, resize), OUTPUT, CONTENT, STYLE
    )
    loss = terms.local_feature(OUTPUT, CONTENT, STYLE, levels, resize)
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=0)


def test_content_restoration() -> None:
    expected = over_images(naive.difference, OUTPUT, CONTENT)
    torch.testing.assert_close(terms.content_restoration(OUTPUT, CONTENT), expected)
    deep = over_images(naive.difference, OUTPUT[3:], CONTENT[3:])
    torch.testing.assert_close(terms.content_restoration(OUTPUT, CONTENT, (4, 5)), deep)


@pytest.mark.parametrize("levels", [(4, 5), (1, 3)])
def test_normalized_content(levels: tuple[int, ...]) -> None:
    expected = over_images(lambda o, c: naive.normalized_content(o, c, levels), OUTPUT, CONTENT)
    torch.testing.assert_close(terms.normalized_content(OUTPUT, CONTENT, levels), expected)
