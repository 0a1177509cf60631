from __future__ import annotations

import numpy as np
import pytest

from datnet.evaluation.measuring import Metrics
from tests.helpers.measuring import random_picture


def test_content_distance_is_the_mean_of_two_levels(measuring: Metrics) -> None:
    output, content = random_picture(0), random_picture(1)
    of_output, of_content = (measuring.networks.encoder(x) for x in (output, content))
    expected = np.mean([(of_output[level] - of_content[level]).square().mean() for level in (3, 4)])
    values = measuring(output, content, random_picture(2))
    assert values["content_distance"] == pytest.approx(float(expected), rel=1e-5)
