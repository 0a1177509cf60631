from __future__ import annotations

import math

import numpy as np
import pytest

from datnet.evaluation.metrics.art_fid import ArtFid
from tests.helpers.measuring import ON_A_LINE


def test_art_fid_by_hand() -> None:
    metric = ArtFid()
    assert metric.measure(*ON_A_LINE, {"lpips_alex": [0.25, 0.75]}) == pytest.approx(1.5 * 12)
    assert metric.measure(*(points[:1] for points in ON_A_LINE), {"lpips_alex": [0.25]}) is None
    nan = {"lpips_alex": [math.nan, math.nan]}
    assert metric.measure(ON_A_LINE[0] * np.nan, ON_A_LINE[1], nan) is None
