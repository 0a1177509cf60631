from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datnet.images.reading import read_image
from datnet.images.resizing import fit_square, resized_crop
from tests.helpers.image_files import picture


def two_steps(
    image: Image.Image, short_side: int, crop_size: int, left: float, top: float
) -> np.ndarray:
    width, height = image.size
    scale = short_side / min(width, height)
    resized = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    x = round(left * (resized.width - crop_size))
    y = round(top * (resized.height - crop_size))
    return np.asarray(resized.crop((x, y, x + crop_size, y + crop_size)), dtype=np.int64)


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (640, 480), (64, 64), (50, 700)])
@pytest.mark.parametrize("short_side", [64, 100, 512])
@pytest.mark.parametrize(("left", "top"), [(0, 0), (1, 1), (0.37, 0.81)])
def test_resized_crop_is_resize_then_crop(
    size: tuple[int, int], short_side: int, left: float, top: float
) -> None:
    image = picture(*size)
    square = resized_crop(
        image, short_side=short_side, crop_size=64, left=left, top=top, flip=False
    )
    difference = np.abs(np.asarray(square) - two_steps(image, short_side, 64, left, top))
    assert difference.max() <= 2  # 8-bit levels; each of the two directions is rounded
    assert difference.mean() < 0.5


@pytest.mark.parametrize("size", [(1203, 997), (997, 1203), (1199, 1001)])
def test_crop_of_a_jpeg_decoded_small_lies_where_that_of_the_whole_does(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    """An eighth of 1203 pixels is 150.375: taken for 151, far crops would lie a pixel off."""
    path = tmp_path / "a.jpg"
    picture(30, 30).resize(size, Image.Resampling.BICUBIC).save(path, quality=95)
    crops = []
    for at_least in (None, 100):
        image = read_image(path, at_least=at_least)
        assert (min(image.size) < 200) == (at_least is not None)
        square = resized_crop(image, short_side=96, crop_size=64, left=1, top=1, flip=False)
        crops.append(np.asarray(square, dtype=float))
    difference = crops[0] - crops[1]
    shifted = crops[0][1:, 1:] - crops[1][:-1, :-1]
    assert np.abs(difference).mean() < 1.2
    assert np.abs(shifted).mean() > 3 * np.abs(difference).mean()


def test_resized_crop_without_resizing_copies_pixels() -> None:
    image = picture(100, 80)
    square = resized_crop(image, short_side=None, crop_size=32, left=0.5, top=1, flip=False)
    assert np.array_equal(np.asarray(square), np.asarray(image)[48:80, 34:66])


def test_resized_crop_enlarges_what_is_too_small() -> None:
    image = picture(60, 40)
    square = resized_crop(image, short_side=None, crop_size=64, left=1, top=0, flip=False)
    assert square.size == (64, 64)
    assert np.abs(np.asarray(square) - two_steps(image, 64, 64, 1, 0)).max() <= 1


def test_flip_mirrors_the_square() -> None:
    image = picture(100, 80)
    crops = [
        np.asarray(resized_crop(image, short_side=64, crop_size=48, left=0.3, top=0.6, flip=flip))
        for flip in (False, True)
    ]
    assert np.array_equal(crops[0], crops[1][:, ::-1])
    assert not np.array_equal(crops[0], crops[1])


@pytest.mark.parametrize(
    "wrong", [{"left": -0.1}, {"top": 1.1}, {"left": float("nan")}, {"short_side": 31}]
)
def test_resized_crop_refuses_what_has_no_meaning(wrong: dict[str, float]) -> None:
    arguments = {"short_side": 64, "crop_size": 32, "left": 0.5, "top": 0.5, "flip": False} | wrong
    with pytest.raises(ValueError, match="must be"):
        resized_crop(picture(50, 50), **arguments)  # type: ignore[arg-type]


def test_fit_square_keeps_the_centre() -> None:
    image = Image.new("RGB", (90, 30), "black")
    image.paste("white", (30, 0, 60, 30))
    assert np.asarray(fit_square(image, 30)).min() == 255
    assert fit_square(picture(33, 1000), 64).size == (64, 64)
