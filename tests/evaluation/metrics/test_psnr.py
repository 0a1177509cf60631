from __future__ import annotations

import math

import pytest
import torch

from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics.psnr import peak_signal_to_noise_ratio


def test_psnr_by_hand(measuring: Metrics) -> None:
    content = torch.full((1, 3, 32, 32), 100 / 255)
    output = content.clone()
    output[:, :, :16] += 51 / 255  # half of the pixels are off by 0.2: mean squared error 0.02
    values = measuring(output, content, content)
    assert values["psnr"] == pytest.approx(10 * math.log10(1 / 0.02), abs=1e-5)
    assert peak_signal_to_noise_ratio(torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)) == 0
