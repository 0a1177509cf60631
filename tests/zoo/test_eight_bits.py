"""Weights in 8 bits: their error, what stays as it is, and the way through a file."""

from __future__ import annotations

from pathlib import Path

import torch

from datnet.networks.vgg import VggEncoder
from datnet.zoo.eight_bits import from_eight_bits, in_eight_bits, quantize
from datnet.zoo.network_file import (
    NetworkDescription,
    build_network,
    load_network,
    save_tensors,
)


def test_error_is_at_most_half_a_step_of_each_channel() -> None:
    weight = torch.randn(6, 4, 3, 3) * torch.logspace(-4, 4, 6)[:, None, None, None]
    rounded, scale = quantize(weight)
    assert rounded.dtype == torch.int8
    assert rounded.abs().amax() == 127
    error = (rounded * scale[:, None, None, None] - weight).abs().flatten(1).amax(1)
    assert (error <= scale * 0.5001).all()


def test_zero_channel_stays_zero() -> None:
    stored = in_eight_bits({"weight": torch.zeros(2, 3)})
    assert from_eight_bits(stored)["weight"].equal(torch.zeros(2, 3))


def test_what_is_stored_how() -> None:
    tensors = {
        "decoder.weight": torch.randn(4, 3, 3, 3),
        "attention3.weight": torch.randn(4, 3),
        "attention30.weight": torch.randn(4, 3),
        "decoder.bias": torch.randn(4),
        "permutation": torch.arange(4).view(2, 2),
    }
    stored = in_eight_bits(tensors, ["attention3"])
    types = {name: tensor.dtype for name, tensor in stored.items()}
    assert types["decoder.weight"] == types["attention30.weight"] == torch.int8
    assert types["attention3.weight"] == torch.float16
    back = from_eight_bits(stored)
    assert back.keys() == tensors.keys()
    assert back["decoder.bias"].equal(tensors["decoder.bias"])
    assert back["permutation"].equal(tensors["permutation"])


def test_file_in_8_bits_loads(tmp_path: Path) -> None:
    settings = {"_target_": "datnet.networks.microast.MicroAST"}
    network = build_network(settings, VggEncoder).eval()
    path = tmp_path / "network.safetensors"
    save_tensors(in_eight_bits(network.state_dict()), NetworkDescription("m", settings, {}), path)
    size = sum(4 * parameter.numel() for parameter in network.parameters())
    assert path.stat().st_size < 0.35 * size, "an 8-bit file has scales, biases and a header"
    loaded = load_network(path)
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
    stored = dict(loaded.named_parameters())
    for name, weight in network.named_parameters():
        assert (stored[name] - weight).abs().max() <= weight.abs().max() / 253, "half of 1/127"
        assert stored[name].equal(weight) == (weight.dim() < 2)
