from __future__ import annotations

import pytest
import torch
from torch import nn

from datnet.networks.mccnet import MCCNet, channel_gains
from datnet.networks.statistics import normalize_channels
from datnet.networks.vgg import VggEncoder
from tests.helpers.golden_weights import deterministic, fill, picture

DECODER_KEYS = [f"mccnet.decoder.{i}" for i in (1, 5, 8, 11, 14, 18, 21, 25, 28)]
UNUSED_CONVOLUTION = 262_656


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@torch.no_grad()
def test_agrees_with_the_published_network(golden, vgg19: VggEncoder) -> None:
    vectors = golden("networks")
    network = MCCNet(vgg19).eval()
    prefix = "mccnet.mcc_module.MCCN"
    fill(network.correlation, [f"{prefix}.{part}" for part in ("f", "g", "out_conv")])
    network.correlation.style.bias.add_(0.5)
    for kind, parameter in network.correlation.mix.named_parameters():
        parameter.copy_(deterministic(f"{prefix}.fc.{kind}", parameter.shape))
    fill(network.decoder, DECODER_KEYS)
    for suffix, content, style in (
        ("", picture(64, 64, 0), picture(64, 64, 1.7)),
        ("_rect", picture(64, 96, 0), picture(48, 80, 1.7)),
    ):
        expected = vectors[f"mccnet{suffix}"]
        output = network.generate(
            network.encode_content(content), network.encode_style(style), content.shape[2:]
        )
        assert (output - expected).abs().max() <= 1e-3 * expected.abs().max()


def test_parameter_counts(vgg19: VggEncoder) -> None:
    """As published, less the convolution that nothing uses and the 12 of conv0."""
    network = MCCNet(vgg19)
    assert count(network.correlation) == 1_313_280 - UNUSED_CONVOLUTION
    assert count(network.decoder) == 3_505_219
    assert count(network) == 17_763_471 - UNUSED_CONVOLUTION - 12


@pytest.fixture
def network(encoder: VggEncoder) -> MCCNet:
    torch.manual_seed(3)
    return MCCNet(encoder).eval()


def features(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height)
    return torch.rand(1, 512, height, width, generator=generator)


@torch.no_grad()
def test_painting_needs_no_relu5(network: MCCNet) -> None:
    assert len(network.encode_content(torch.rand(1, 3, 32, 32))) == 4
    assert len(network.encode_style(torch.rand(1, 3, 32, 32))) == 4


@pytest.mark.parametrize("bias", [2.0, 0.1, -0.1])
def test_gains_are_sums_of_squares_over_sums(bias: float) -> None:
    style = features(9, 7) - 0.5
    style = style - style.mean(dim=(2, 3), keepdim=True) + bias
    exact = style.double()
    expected = exact.square().sum(dim=(2, 3)) / exact.sum(dim=(2, 3))
    torch.testing.assert_close(channel_gains(style).double(), expected, rtol=1e-5, atol=0)


def test_gains_are_full_precision_in_16_bits() -> None:
    style = (features(9, 7) + 1).bfloat16()
    gains = channel_gains(style)
    assert gains.dtype == torch.float32
    torch.testing.assert_close(gains, channel_gains(style.float()))


def test_zero_bias_stays_finite(network: MCCNet) -> None:
    nn.init.zeros_(network.correlation.style.bias)
    for style in (features(6, 5), torch.zeros(1, 512, 6, 5)):
        network.zero_grad()
        output = network.correlation(features(4, 4), style)
        output.square().mean().backward()
        assert output.isfinite().all()
        for name, parameter in network.correlation.named_parameters():
            assert parameter.grad.isfinite().all(), name


@torch.no_grad()
def test_fresh_gains_are_of_the_order_of_one(network: MCCNet) -> None:
    """The published initialization gives gains up to a thousand."""
    images = torch.rand(2, 3, 64, 64)
    style = normalize_channels(network.encode_style(images)[3])
    gains = channel_gains(network.correlation.style(style))
    assert gains.min() >= 0.9
    assert 1.2 < gains.mean() < 1.5
    assert gains.max() < 4
    assert network.correlation.mix(gains).abs().max() < 5


@torch.no_grad()
def test_order_of_style_positions_does_not_matter(network: MCCNet) -> None:
    content, style = features(4, 6), features(5, 3)
    expected = network.correlation(content, style)
    torch.testing.assert_close(
        network.correlation(content, style.flip(2, 3)), expected, rtol=1e-4, atol=1e-5
    )


@torch.no_grad()
def test_number_of_style_positions_hardly_matters(network: MCCNet) -> None:
    """The gains are averages: published inference enlarges the style to the content, ours not."""
    content, style = features(4, 6), features(20, 20)
    expected = network.correlation(content, style)
    repeated = network.correlation(content, style.repeat(1, 1, 2, 2))
    torch.testing.assert_close(repeated, expected, rtol=0, atol=0.01)
