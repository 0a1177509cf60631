from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from datnet.evaluation.measuring import Metrics
from datnet.networks import attention
from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.datnet import DatNet
from datnet.networks.sanet import SANet
from datnet.networks.vgg import VggEncoder
from experiments.measurements.fast_attention import measure_pair, table
from tests.helpers.methods import images


@torch.no_grad()
@pytest.mark.parametrize("method", [partial(DatNet, identity_start=True), SANet])
def test_a_larger_share_is_measured_as_closer(
    method: Callable[[VggEncoder], EncoderDecoderNetwork],
    encoder: VggEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attention, "FAST_COMPARISONS", 0)
    monkeypatch.setattr("datnet.networks.ops.fast_attention.FEWEST_KEYS", 4)
    torch.manual_seed(0)
    network = method(encoder).eval()
    settings = [(1.0, 16), (0.1, 16)]
    metrics = Metrics({"encoder": encoder})
    pair = measure_pair(network, images(1, 64, 64), images(1, 64, 64, seed=1), settings, metrics)
    all_keys, some_keys = pair["settings"]
    assert all_keys["psnr"] > 80
    assert some_keys["psnr"] < all_keys["psnr"]
    for key, least in (("ssim", 1e-4), ("style_distance", 1e-5)):
        assert abs(all_keys[key]) < least
        assert abs(some_keys[key]) >= abs(all_keys[key])  # SANet: equal in 8 bits
    assert min(pair["exact_seconds"], all_keys["seconds"], some_keys["seconds"]) > 0
    rows = table([pair, pair], settings).splitlines()
    assert rows[2].startswith("| 1 : 1 ")
    assert rows[3].startswith("| 1 : 10 ")
