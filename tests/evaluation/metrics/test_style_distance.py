from __future__ import annotations

import math

import pytest

from datnet.evaluation.measuring import Metrics
from tests.helpers.measuring import random_picture


def test_style_distance_agrees_with_a_loop_over_channels(measuring: Metrics) -> None:
    output, style = random_picture(0), random_picture(2, size=64)
    expected = 0.0
    for a, b in zip(*map(measuring.networks.encoder, (output, style)), strict=True):
        for channel in range(4):
            p, q = (x[0, channel].double().numpy().ravel() for x in (a, b))
            std_p, std_q = (math.sqrt(x.var(ddof=1) + 1e-5) for x in (p, q))
            expected += ((p.mean() - q.mean()) ** 2 + (std_p - std_q) ** 2) / 4 / 5
    values = measuring(output, random_picture(1), style)
    assert values["style_distance"] == pytest.approx(expected, rel=1e-4)
