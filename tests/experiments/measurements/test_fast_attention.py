from __future__ import annotations

import pytest
import torch

from datnet.networks import attention
from datnet.networks.datnet import DatNet
from datnet.networks.vgg import VggEncoder
from experiments.measurements.fast_attention import measure_pair, table
from tests.helpers.methods import images


@torch.no_grad()
def test_a_larger_share_is_measured_as_closer(
    encoder: VggEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "FAST_COMPARISONS", 0)
    monkeypatch.setattr("datnet.networks.ops.fast_attention.FEWEST_KEYS", 4)
    torch.manual_seed(0)
    network = DatNet(encoder, identity_start=True).eval()
    settings = [(1.0, 16), (0.1, 16)]
    pair = measure_pair(network, images(1, 64, 64), images(1, 64, 64, seed=1), settings)
    all_keys, some_keys = pair["settings"]
    assert all_keys["psnr"] > 80
    assert some_keys["psnr"] < all_keys["psnr"]
    assert min(pair["exact_seconds"], all_keys["seconds"], some_keys["seconds"]) > 0
    rows = table([pair, pair], settings).splitlines()
    assert rows[2].startswith("| 1 : 1 ")
    assert rows[3].startswith("| 1 : 10 ")
