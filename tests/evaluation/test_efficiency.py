from __future__ import annotations

import pytest
import torch

from datnet.evaluation.efficiency import counted_products, multiply_adds
from datnet.networks import attention
from datnet.networks.adain import AdaIN
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.datnet import DatNet
from datnet.networks.ops import tiled_attention
from datnet.networks.sanet import SANet
from datnet.networks.vgg import VggEncoder
from datnet.zoo.parameters import parameters


@pytest.fixture(scope="module")
def vgg19() -> VggEncoder:
    return VggEncoder("vgg19")


# Counted on the reference implementations: ../shared/reference/networks.md, section 12.1.
@pytest.mark.parametrize(
    ("network_class", "total", "trainable"),
    [(AdaIN, 7.011e6, 3.505e6), (SANet, 20.911e6, 7.966e6), (DatNet, 26.575e6, 13.630e6)],
)
def test_parameters_of_the_reference_implementations(
    network_class: type[StyleTransferNetwork], total: float, trainable: float, vgg19: VggEncoder
) -> None:
    counts = parameters(network_class(vgg19))
    assert counts.total == pytest.approx(total, rel=1e-4)
    assert counts.trainable == pytest.approx(trainable, rel=1e-4)
    assert counts.total == sum(counts.by_part.values())
    assert counts.by_part["encoder"] == counts.total - counts.trainable


def test_parts_are_named_as_in_the_network(vgg19: VggEncoder) -> None:
    counts = parameters(SANet(vgg19))
    assert list(counts.by_part) == ["encoder", "attention4", "attention5", "merge", "decoder"]
    # 3 × 3 convolutions of 512 channels with bias.
    assert counts.by_part["merge"] == 512 * 512 * 9 + 512


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network_class", "giga"), [(AdaIN, 47.45), (SANet, 68.05), (DatNet, 91.6)]
)
def test_multiply_adds_of_the_reference_implementations(
    network_class: type[StyleTransferNetwork], giga: float, vgg19: VggEncoder
) -> None:
    count = multiply_adds(network_class(vgg19), 256, 256)
    assert count == pytest.approx(giga * 1e9, rel=0.01)


def test_attention_is_counted_however_it_is_cut_into_blocks(
    encoder: VggEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = DatNet(encoder)
    whole = multiply_adds(network, 32, 64)
    # Attention over N positions costs (key + 2 · value channels) · N² at each of three levels;
    # everything else grows with N. Four times the positions thus show the quadratic part.
    quadratic = sum(
        (key + 2 * value) * (32 // stride * 64 // stride) ** 2
        for key, value, stride in ((448, 256, 4), (960, 512, 8), (1472, 512, 16))
    )
    assert multiply_adds(network, 64, 128) - 4 * whole == pytest.approx(12 * quadratic, rel=1e-3)
    monkeypatch.setattr(attention, "UNTILED_COMPARISONS", 0)
    monkeypatch.setattr(tiled_attention, "QUERIES_PER_TILE", 16)
    monkeypatch.setattr(tiled_attention, "CPU_WEIGHTS_PER_TILE", 2**10)
    assert multiply_adds(network, 32, 64) == whole


@pytest.mark.parametrize("gradients", [False, True])
def test_fused_attention_is_counted_whatever_kernel_torch_would_take(gradients: bool) -> None:
    """2 · Nc · Ns · C forward, and in training twice that backward, also where a mask is given."""
    query = torch.rand(2, 8, 40, 16, requires_grad=gradients)
    key, value = torch.rand(2, 2, 8, 24, 16).unbind()
    if gradients:
        key.requires_grad_(), value.requires_grad_()
    products = 2 * 2 * 40 * 24 * 8 * 16
    for mask in (None, torch.ones(40, 24, dtype=torch.bool)):
        with torch.set_grad_enabled(gradients), counted_products() as counter:
            mean = torch.nn.functional.scaled_dot_product_attention(query, key, value, mask)
            if gradients:
                mean.sum().backward()
        assert counter.get_total_flops() == 2 * products * (3 if gradients else 1)


def test_counting_leaves_mode_and_random_numbers_as_they_are(encoder: VggEncoder) -> None:
    network = AdaIN(encoder).train()
    state = torch.get_rng_state()
    multiply_adds(network, 32, 32)
    assert network.training
    assert torch.equal(torch.get_rng_state(), state)
