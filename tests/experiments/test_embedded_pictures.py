"""The embedded pictures are what `python -m experiments.embedded_pictures` makes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from datnet.images.embedded import sample_images
from datnet.images.reading import read_image
from experiments import embedded_pictures
from experiments.embedded_pictures import (
    EVAL_PHOTOGRAPHS,
    EVAL_STYLES,
    TRAIN_PHOTOGRAPHS,
    TRAIN_STYLE_SIZES,
    paint,
)
from experiments.painter import MANNERS, colour_field


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean absolute difference in levels of 255."""
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def test_a_painting_made_again_is_the_one_in_the_package() -> None:
    """Except for compression losses, which are hardly visible."""
    size = TRAIN_STYLE_SIZES[1]
    stored = read_image(sample_images().train_style / "colour_field-1.webp")
    assert difference(paint(colour_field, 1, size), stored) < 5
    assert difference(paint(colour_field, 2, size), stored) > 20


def test_a_photograph_made_again_is_the_one_in_the_package() -> None:
    coffee = next(each for each in EVAL_PHOTOGRAPHS if each.name == "coffee")
    made = embedded_pictures.square(embedded_pictures.read(coffee))
    assert difference(made, read_image(sample_images().eval_content / "coffee.webp")) < 5


def test_every_picture_of_the_package_is_one_that_is_made() -> None:
    made = {
        f"train_content/{photograph.name}-{number}"
        for photograph in TRAIN_PHOTOGRAPHS
        for number in range(1 + len(photograph.details))
    }
    made |= {f"eval_content/{p.name}" for p in EVAL_PHOTOGRAPHS}
    made |= {f"train_style/{manner.__name__}-{n}" for manner in MANNERS for n in (0, 1)}
    made |= {f"eval_style/{manner.__name__}-{number}" for manner, number in EVAL_STYLES}
    folders = vars(sample_images())
    there = {f"{part}/{path.stem}" for part in folders for path in folders[part].iterdir()}
    assert there == made


def test_details_lie_within_their_photographs() -> None:
    for photograph in TRAIN_PHOTOGRAPHS:
        width, height = embedded_pictures.read(photograph).size
        for left, top, right, bottom in photograph.details:
            assert 0 <= left < right <= width, photograph.name
            assert 0 <= top < bottom <= height, photograph.name
            assert min(right - left, bottom - top) >= 256, photograph.name
