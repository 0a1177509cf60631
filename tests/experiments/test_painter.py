from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.random import default_rng
from PIL import Image

from experiments.painter import MANNERS
from experiments.painter.brush import follow
from experiments.painter.color import gradient, palette, turn_hue
from experiments.painter.noise import current, fractal_noise

every_manner = pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.__name__)


def as_floats(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, dtype=np.float64)


def test_there_are_enough_manners_and_none_twice() -> None:
    assert len({manner.__name__ for manner in MANNERS}) == len(MANNERS) >= 12


@every_manner
def test_same_seed_gives_the_same_bytes_and_another_seed_another_picture(manner) -> None:
    np.random.seed(1)
    first = manner(default_rng(3), 96, 96)
    np.random.seed(2)
    assert manner(default_rng(3), 96, 96).tobytes() == first.tobytes()
    assert np.abs(as_floats(manner(default_rng(4), 96, 96)) - as_floats(first)).mean() > 4


def test_a_fresh_process_paints_the_same_bytes() -> None:
    script = (
        "import hashlib, numpy as np\n"
        "from experiments.painter import MANNERS\n"
        "for manner in MANNERS:\n"
        "    picture = manner(np.random.default_rng(5), 48, 48)\n"
        "    print(hashlib.sha256(picture.tobytes()).hexdigest())\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = [hashlib.sha256(manner(default_rng(5), 48, 48).tobytes()) for manner in MANNERS]
    assert finished.stdout.split() == [digest.hexdigest() for digest in here]


@every_manner
@pytest.mark.parametrize(("width", "height"), [(32, 32), (97, 61), (40, 131)])
def test_any_size_is_painted(manner, width: int, height: int) -> None:
    for seed in range(2):
        picture = manner(default_rng(seed), width, height)
        assert picture.size == (width, height)
        assert picture.mode == "RGB"
        assert as_floats(picture).std() > 5


@every_manner
def test_pictures_have_texture_at_the_scale_of_strokes(manner) -> None:
    # median standard deviation within blocks of 32 x 32; a flat poster would have 0
    picture = as_floats(manner(default_rng(6), 192, 192)).mean(axis=2)
    blocks = picture.reshape(6, 32, 6, 32).std(axis=(1, 3))
    assert np.median(blocks) > 2.5


def test_manners_differ_from_each_other() -> None:
    pictures = [as_floats(manner(default_rng(7), 96, 96)) for manner in MANNERS]
    for index, first in enumerate(pictures):
        for second in pictures[index + 1 :]:
            assert np.abs(first - second).mean() > 15


def test_palette_reads_hexadecimal_colours() -> None:
    np.testing.assert_allclose(palette("ff0000 0033ff"), [[1, 0, 0], [0, 0.2, 1]], atol=1e-6)


def test_turning_the_hue_by_a_third_swaps_the_primaries_and_keeps_grey() -> None:
    red, green = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    np.testing.assert_allclose(turn_hue(red, 120.0), green, atol=1e-6)
    np.testing.assert_allclose(turn_hue(np.full(3, 0.4), 75.0), 0.4, atol=1e-6)


def test_gradient_passes_through_its_colours() -> None:
    colors = palette("000000 ff0000 ffffff")
    np.testing.assert_allclose(gradient(colors, np.array([0.5, 2.0])), colors[1:], atol=1e-6)


def test_noise_fills_its_range_and_is_smooth() -> None:
    field = fractal_noise(default_rng(0), 80, 60, cell=20, octaves=1)
    assert field.shape == (60, 80)
    assert field.min() == 0
    assert field.max() == 1
    assert np.abs(np.diff(field, axis=1)).max() < 0.25


def test_a_current_runs_along_the_level_lines() -> None:
    y, x = np.mgrid[0:40, 0:40] - 19.5
    angle = current(x**2 + y**2)
    outward = np.cos(angle) * x + np.sin(angle) * y
    assert np.abs(outward[1:-1, 1:-1] / np.hypot(x, y)[1:-1, 1:-1]).max() < 1e-6


def test_strokes_follow_directions_whose_sign_flips() -> None:
    # pi and 0 are the same direction of a brush: the path must not turn back
    angle = np.zeros((10, 40))
    angle[:, 20:] = np.pi
    path = follow(angle, np.array([10.0]), np.array([5.0]), length=20, steps=5)
    np.testing.assert_allclose(path[0, :, 0], [10, 15, 20, 25, 30])
    np.testing.assert_allclose(path[0, :, 1], 5, atol=1e-9)
