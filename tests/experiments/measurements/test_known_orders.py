from __future__ import annotations

import math

import pytest

from datnet.evaluation.metrics.lightness import LightnessDifference
from datnet.evaluation.metrics.psnr import Psnr
from datnet.evaluation.metrics.style_distance import StyleDistance
from experiments.measurements.known_orders import agreement


def test_a_metric_that_orders_all_pairs() -> None:
    found = agreement(StyleDistance(), [[3.0, 2.0, 1.0], [9.0, 8.0, 1.0]], better=True)
    assert (found.right, found.mean_in_order, found.fails) == (1, True, False)
    found = agreement(StyleDistance(), [[3.0, 2.0, 1.0], [9.0, 8.0, 1.0]], better=False)
    assert (found.right, found.mean_in_order, found.fails) == (0, False, True)


def test_each_step_of_each_pair_counts_and_the_mean_can_fail_alone() -> None:
    courses = [[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [90.0, 1.0]]
    found = agreement(StyleDistance(), courses, better=False)
    assert found.right == pytest.approx(0.75)
    assert not found.mean_in_order
    assert found.fails


def test_values_that_do_not_move_are_not_in_order() -> None:
    assert agreement(StyleDistance(), [[1.0, 1.0]], better=True).right == 0
    assert agreement(Psnr(), [[math.inf, math.inf]], better=True).right == 0
    assert agreement(Psnr(), [[math.inf, 20.0]], better=False).right == 1


def test_lightness_is_compared_by_its_distance_from_0() -> None:
    found = agreement(LightnessDifference(), [[-8.0, 3.0], [8.0, -3.0]], better=True)
    assert (found.right, found.mean_in_order) == (1, True)
