from __future__ import annotations

import pytest
import torch
from torch import nn

from datnet.networks.manet import ChannelSelfAttention, MANet
from datnet.networks.vgg import VggEncoder
from tests.helpers.golden_weights import fill, picture

DECODER_KEYS = [f"manet.decoder.{i}" for i in (1, 5, 8, 11, 14, 18, 21, 25, 28)]


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@torch.no_grad()
def test_agrees_with_the_published_network(golden, vgg19: VggEncoder) -> None:
    vectors = golden("networks")
    network = MANet(vgg19).eval()
    for module, name in (
        (network.content_adaptation, "CSA"),
        (network.style_adaptation, "SSA"),
        (network.co_adaptation, "CA"),
    ):
        fill(module, [f"manet.ma_module.{name}.{part}" for part in ("f", "g", "h", "out_conv")])
    fill(network.decoder, DECODER_KEYS)
    for suffix, content, style in (
        ("", picture(64, 64, 0), picture(64, 64, 1.7)),
        ("_rect", picture(64, 96, 0), picture(48, 80, 1.7)),
    ):
        expected = vectors[f"manet{suffix}"]
        output = network.generate(
            network.encode_content(content), network.encode_style(style), content.shape[2:]
        )
        assert (output - expected).abs().max() <= 1e-3 * expected.abs().max()


def test_parameter_counts(vgg19: VggEncoder) -> None:
    """As published, less the 12 of conv0, which is folded into conv1_1."""
    network = MANet(vgg19)
    for attention in (
        network.content_adaptation,
        network.style_adaptation,
        network.co_adaptation,
    ):
        assert count(attention) == 1_050_624
    assert count(network.decoder) == 3_505_219
    assert count(network) == 19_602_063 - 12
    unused = count(network.encoder.stages[4])  # what the objective alone needs
    assert count(network) - unused == 10_162_831 - 12


@pytest.fixture
def network(encoder: VggEncoder) -> MANet:
    torch.manual_seed(3)
    return MANet(encoder).eval()


def features(count: int, height: int, width: int) -> list[torch.Tensor]:
    """Only relu4_1 matters; its size is an eighth of the image's."""
    generator = torch.Generator().manual_seed(height)
    return [torch.empty(0)] * 3 + [torch.rand(count, 512, height, width, generator=generator)]


@torch.no_grad()
def test_painting_needs_no_relu5(network: MANet) -> None:
    assert len(network.encode_content(torch.rand(1, 3, 32, 32))) == 4
    assert len(network.encode_style(torch.rand(1, 3, 32, 32))) == 4


@torch.no_grad()
def test_order_of_style_positions_does_not_matter(network: MANet) -> None:
    content, style = features(1, 5, 6), features(1, 7, 4)
    (expected,) = network.transfer(content, style)
    (flipped,) = network.transfer(content, [*style[:3], style[3].flip(2, 3)])
    torch.testing.assert_close(flipped, expected, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_content_positions_keep_their_places(network: MANet) -> None:
    content, style = features(1, 5, 6), features(1, 7, 4)
    (expected,) = network.transfer(content, style)
    (flipped,) = network.transfer([*content[:3], content[3].flip(2, 3)], style)
    torch.testing.assert_close(flipped.flip(2, 3), expected, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_channel_attention_is_exact_under_autocast() -> None:
    """Products of 4096 that differ by 1 decide between channels; bfloat16 has steps of 32 there."""
    torch.manual_seed(0)
    attention = ChannelSelfAttention(16)
    for projection in (attention.query, attention.key, attention.value, attention.out):
        nn.init.eye_(projection.weight.view(16, 16))
        nn.init.zeros_(projection.bias)
    style = 1 + 0.02 * torch.randn(1, 16, 64, 64)
    expected = attention.double()(style.double())
    attention.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = attention(style)
    torch.testing.assert_close(output.double(), expected, rtol=0.02, atol=0.02)
