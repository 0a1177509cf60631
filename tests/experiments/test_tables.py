from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datnet.evaluation.metrics import METRICS
from datnet.zoo.network_file import (
    NetworkDescription,
    save_network,
)
from experiments.networks import facts_of_training
from experiments.tables import order, rank_correlation, ranks, sentence_of_training


def test_ranks_follow_the_direction_of_the_metric() -> None:
    ssim, _, lpips = METRICS[:3]
    assert ranks(ssim, [0.1, 0.3, 0.2]) == [3, 1, 2]
    assert ranks(lpips, [0.1, 0.3, 0.2]) == [1, 3, 2]
    assert ranks(ssim, [0.1, 0.3, 0.3]) == [3, 1.5, 1.5]


def test_rank_correlation() -> None:
    assert rank_correlation([1, 2, 3, 4], [1, 2, 3, 4]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 2], [1, 2]) is None
    assert rank_correlation([2, 2, 2], [1, 2, 3]) is None


def test_the_sentence_says_where_networks_differ(tmp_path: Path) -> None:
    files = {}
    for precision in ("32-true", "bf16-mixed"):
        training = {"steps": 7, "images_per_step": 2, "data": "pictures", "precision": precision}
        files[precision] = [tmp_path / precision]
        description = NetworkDescription("adain", {}, {"arch": "vgg16"}, training)
        save_network(torch.nn.Linear(1, 1), description, tmp_path / precision)
    facts = facts_of_training(files) | {"scale": "pretrained", "commit": "abc"}
    sentence = sentence_of_training(facts)
    assert "encoder vgg16 · data pictures · 7 steps of 2 pairs" in sentence
    assert "precision 32-true, bf16-mixed" in sentence


def test_order_follows_the_direction_of_the_metric() -> None:
    ssim, psnr, lpips = METRICS[:3]
    assert order(ssim, [0.1, 0.2, 0.3]) == order(psnr, [10, 11, 12]) == "yes"
    assert order(lpips, [0.3, 0.2, 0.1]) == "yes"
    assert order(ssim, [0.1, 0.3, 0.2]) == order(lpips, [0.1, 0.2, 0.3]) == "no"
    assert order(ssim, [0.1, 0.1, 0.2]) == "no"
