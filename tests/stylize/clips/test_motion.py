from __future__ import annotations

import numpy as np
import pytest

from datnet.stylize.clips.motion import optical_flow
from tests.helpers.frames import SCENE


def test_optical_flow_finds_a_shift() -> None:
    flow = optical_flow(
        np.ascontiguousarray(SCENE[3:67, 2:82]), np.ascontiguousarray(SCENE[:64, :80])
    )
    assert np.median(flow[0]) == pytest.approx(3, abs=0.2)
    assert np.median(flow[1]) == pytest.approx(2, abs=0.2)
