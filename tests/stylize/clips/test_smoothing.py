from __future__ import annotations

import numpy as np
import pytest

from datnet.stylize.clips.smoothing import TemporalSmoothing
from tests.helpers.clips import CPU
from tests.helpers.frames import (
    OBJECT,
    SCENE,
    flicker_of,
    mean_difference,
    noisy,
    pan,
    static_scene,
    texture,
)


def smooth(
    contents: list[np.ndarray], results: list[np.ndarray], strength: float
) -> list[np.ndarray]:
    blend = TemporalSmoothing(strength, CPU)
    return [blend(content, result) for content, result in zip(contents, results, strict=True)]


@pytest.mark.parametrize("clip", [static_scene(10), noisy(pan(10, 64, 96), 3)])
def test_smoothing_takes_flicker_away(clip: list[np.ndarray]) -> None:
    stylized = noisy([255 - frame for frame in clip], 25, seed=1)
    without, with_ = flicker_of(clip, stylized), flicker_of(clip, smooth(clip, stylized, 0.8))
    assert without is not None
    assert with_ is not None
    assert with_[0] < 0.7 * without[0]


def test_smoothing_leaves_moving_things_sharp() -> None:
    clip = static_scene(10)
    smoothed = smooth(clip, clip, 0.9)
    for number in (4, 9):
        place = np.s_[24:40, 8 * number : 8 * number + 16]
        trace = np.s_[24:40, max(0, 8 * number - 40) : 8 * number]
        assert mean_difference(smoothed[number][place], OBJECT) < 5
        assert mean_difference(smoothed[number][trace], SCENE[:64, :96][trace]) < 5


def test_smoothing_does_not_blend_over_a_cut() -> None:
    before, after = texture(48, 64, 1).copy(), texture(48, 64, 2).copy()
    before[:16] = after[:16] = 0  # a static bar that is stylized differently
    clip = [before] * 4 + [after] * 2
    stylized = [255 - before] * 4 + [after] * 2
    smoothed = smooth(clip, stylized, 0.9)
    assert np.array_equal(smoothed[4], stylized[4])
    assert mean_difference(smoothed[5], stylized[5]) < 0.5


def test_smoothing_follows_a_slow_fade() -> None:
    clip = [np.full((48, 64, 3), 2 * number, np.uint8) for number in range(60)]
    smoothed = smooth(clip, clip, 0.95)
    assert max(mean_difference(*pair) for pair in zip(smoothed, clip, strict=True)) < 16


def test_smoothing_blends_results_of_another_size_than_the_clip() -> None:
    content = [SCENE[:48, :64].copy()] * 3
    stylized = [np.full((96, 128, 3), level, np.uint8) for level in (100, 200, 200)]
    smoothed = smooth(content, stylized, 0.5)
    assert [frame.shape for frame in smoothed] == [(96, 128, 3)] * 3
    assert [int(np.median(frame)) for frame in smoothed] == [100, 150, 175]
