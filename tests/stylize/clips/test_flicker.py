from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from datnet.stylize.clips.flicker import MOST_PAIRS, FlickerMeter
from tests.helpers.frames import SCENE, flicker_of, pan, texture


def test_flicker_is_the_error_that_motion_does_not_explain() -> None:
    moving = pan(6)
    steady = flicker_of(moving, [255 - frame for frame in moving])
    assert steady is not None
    assert steady[0] == pytest.approx(steady[1])  # moves along with the content
    assert steady[0] < 8
    # Brightness that alternates by 40 differs by 40 in every pair.
    flat = [np.full((48, 64, 3), 100 + 40 * (i % 2), np.uint8) for i in range(6)]
    alternating = flicker_of([SCENE[:48, :64].copy()] * 6, flat)
    assert alternating == pytest.approx((40, 0), abs=0.01)


def test_flicker_leaves_out_cuts() -> None:
    scenes = [texture(48, 64, seed) for seed in range(3)]
    cuts_between_all = flicker_of(scenes, scenes)
    assert cuts_between_all is None
    one_cut = flicker_of([scenes[0]] * 3 + [scenes[1]] * 3, [scenes[0]] * 3 + [scenes[1]] * 3)
    assert one_cut == pytest.approx((0, 0), abs=0.01)


@pytest.mark.parametrize("frames", [2, 49, 50, 51, 98, 100, 333])
def test_flicker_compares_few_pairs_of_consecutive_frames(frames: int) -> None:
    meter = FlickerMeter()
    for number in range(frames):
        frame = np.full((32, 32, 3), (number % 256, number // 256, 0), np.uint8)
        meter.add(frame, frame)
    numbers = [
        [int(frame[0, 0, 0]) + 256 * int(frame[0, 0, 1]) for frame in (before[1], after[1])]
        for before, after in meter._pairs
    ]
    assert all(after == before + 1 for before, after in numbers)
    assert min(frames - 1, MOST_PAIRS // 2) <= len(numbers) <= MOST_PAIRS
    steps = {after[0] - before[0] for before, after in pairwise(numbers)}
    assert len(steps) <= 1  # evenly spread
