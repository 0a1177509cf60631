from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from datnet.evaluation.efficiency import multiply_adds
from datnet.networks.stytr2 import Attention, ContentAwarePositions, StyTr2, average_on_grid
from tests.helpers.golden_weights import deterministic, fill, picture

ATTENTION_KEYS = {
    "attention": "self_attn",
    "attentions.0": "self_attn",
    "attentions.1": "multihead_attn",
}


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture(scope="module")
def network() -> StyTr2:
    torch.manual_seed(1)
    return StyTr2().eval()


def images(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 4, 4, generator=generator)
    return nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


@torch.no_grad()
def fill_norm(norm: nn.LayerNorm, key: str) -> None:
    norm.weight.copy_(1 + deterministic(f"{key}.weight", norm.weight.shape))
    norm.bias.copy_(deterministic(f"{key}.bias", norm.bias.shape))


@torch.no_grad()
def fill_linear(layer: nn.Linear, key: str) -> None:
    layer.weight.copy_(deterministic(f"{key}.weight", layer.weight.shape))
    layer.bias.copy_(deterministic(f"{key}.bias", layer.bias.shape))


@torch.no_grad()
def fill_attention(attention: Attention, key: str) -> None:
    """The published attention makes query, key and value with one matrix."""
    weights = deterministic(f"{key}.in_proj_weight", torch.Size([3 * 512, 512])).chunk(3)
    biases = deterministic(f"{key}.in_proj_bias", torch.Size([3 * 512])).chunk(3)
    layers = (attention.query, attention.key, attention.value)
    for layer, weight, bias in zip(layers, weights, biases, strict=True):
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    fill_linear(attention.out, f"{key}.out_proj")


@pytest.mark.parametrize("size", [(1, 4), (5, 7), (17, 18), (19, 36), (37, 53), (64, 90)])
def test_the_grid_is_that_of_adaptive_pooling(size: tuple[int, int]) -> None:
    maps = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0)).requires_grad_()
    grid, expected = average_on_grid(maps), nn.functional.adaptive_avg_pool2d(maps, 18)
    torch.testing.assert_close(grid, expected)
    weight = torch.rand(expected.shape)
    gradients = [torch.autograd.grad((each * weight).sum(), maps)[0] for each in (grid, expected)]
    torch.testing.assert_close(*gradients)


def published() -> StyTr2:
    """The network with the weights of ../shared/golden/networks.npz."""
    network = StyTr2().eval()
    fill(network.embedding, ["stytr2.embedding.proj"])
    fill(network.positions, ["stytr2.transformer.new_ps"])
    fill(network.decoder, [f"stytr2.decoder.{i}" for i in (1, 5, 8, 11, 14, 18, 21, 25, 28)])
    for name, layers in (
        ("encoder_c", network.content_encoder.layers),
        ("encoder_s", network.style_encoder.layers),
        ("decoder", network.style_decoder.layers),
    ):
        for index, layer in enumerate(layers):
            key = f"stytr2.transformer.{name}.layers.{index}"
            for own, theirs in ATTENTION_KEYS.items():
                if own in dict(layer.named_modules()):
                    fill_attention(layer.get_submodule(own), f"{key}.{theirs}")
            fill_linear(layer.feed_forward[0], f"{key}.linear1")
            fill_linear(layer.feed_forward[3], f"{key}.linear2")
            for number, norm in enumerate(layer.norms, start=1):
                fill_norm(norm, f"{key}.norm{number}")
    fill_norm(network.style_decoder.norm, "stytr2.transformer.decoder.norm")
    return network


@torch.no_grad()
def test_agrees_with_the_published_network(golden) -> None:
    expected = golden("networks")["stytr2"]
    network = published()
    content, style = picture(64, 64, 0), picture(64, 64, 1.7)
    output = network.generate(
        network.encode_content(content), network.encode_style(style), content.shape[2:]
    )
    assert (output - expected).abs().max() <= 1e-3 * expected.abs().max()


def test_parameter_counts(network: StyTr2) -> None:
    """By module, as counted in the published implementation; everything is trained."""
    assert count(network.embedding) == 98_816
    assert count(network.content_encoder) == count(network.style_encoder) == 9_457_152
    assert count(network.style_decoder) == 12_613_120
    assert count(network.positions) == 262_656
    assert count(network.decoder) == 3_505_219
    assert count(network) == 35_394_115
    assert all(p.requires_grad for p in network.parameters())


@torch.no_grad()
def test_multiply_adds(network: StyTr2) -> None:
    """Those of the published network, attention included; at 64 × 96 its share is small.

    The published code pools on a grid without products, here they are two, of next to no share.
    """
    tokens = 8 * 12
    linear = tokens * 512 * (6 * (4 * 512 + 2 * 2048) + 3 * (8 * 512 + 2 * 2048))
    attention = 12 * 2 * tokens**2 * 512
    convolutions = 2 * tokens * 3 * 64 * 512 + 18 * 18 * 512**2
    grid = 512 * (18 * tokens + 18 * 12 * 18)
    decoder = 15_816_720_384 * tokens // 32**2
    assert multiply_adds(network, 64, 96) == linear + attention + convolutions + grid + decoder


@torch.no_grad()
@pytest.mark.parametrize("size", [(128, 32), (96, 128), (32, 104)])
def test_other_shapes_than_squares_are_not_scrambled(
    network: StyTr2, size: tuple[int, int]
) -> None:
    """A rotated image gives the rotated map, except for the orientation of the convolution.

    The embedding's kernels are turned too; attention does not know where a token is but for its
    position code, which turns with the picture.
    """
    content, style = images(1, *size), images(1, 48, 64, seed=1)
    upright = network.transfer(network.encode_content(content), network.encode_style(style)[0])
    weight = network.embedding.weight
    network.embedding.weight = nn.Parameter(weight.mT)
    try:
        content_features = network.encode_content(content.mT)
        lying = network.transfer(content_features, network.encode_style(style.mT)[0])
    finally:
        network.embedding.weight = weight
    assert upright.shape == (1, 512, size[0] // 8, size[1] // 8)
    torch.testing.assert_close(lying.mT, upright, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("size", [(33, 40), (39, 47), (32, 57)])
def test_sizes_are_extended_by_reflection_and_cropped(
    network: StyTr2, size: tuple[int, int]
) -> None:
    content, style = images(1, *size), images(1, 41, 50, seed=1)
    below, right = (-side % 8 for side in size)
    extended = nn.functional.pad(content, (0, right, 0, below), mode="reflect")
    output = network(content, style)
    assert output.shape == content.shape
    torch.testing.assert_close(output, network(extended, style)[:, :, : size[0], : size[1]])


@torch.no_grad()
def test_position_codes_are_those_of_a_coarse_picture_at_any_size() -> None:
    """What lies where on a grid of 18 × 18, and nothing finer."""
    torch.manual_seed(1)
    positions = ContentAwarePositions()
    coarse = torch.rand(1, 512, 18, 18)
    fine = coarse.repeat_interleave(2, dim=2).repeat_interleave(4, dim=3)
    stripes = torch.tensor([0.3, -0.3]).repeat(36)
    torch.testing.assert_close(positions(coarse), positions.projection(coarse))
    codes = positions(fine)
    assert codes.shape == fine.shape
    torch.testing.assert_close(positions(fine + stripes), codes, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(positions(fine.flip(3)), codes.flip(3), rtol=1e-4, atol=1e-5)
    assert (codes - codes.mean(dim=(2, 3), keepdim=True)).abs().max() > 0.1


@torch.no_grad()
def test_positions_count_for_the_content_alone(network: StyTr2) -> None:
    """Style tokens know nothing of where they are: rows in another order give the same result."""
    content, style = images(1, 48, 64), images(1, 48, 64, seed=1)
    shuffled = style.unflatten(2, (6, 8))[:, :, [3, 0, 5, 1, 4, 2]].flatten(2, 3)
    encoded = network.encode_content(content)
    original, other = (
        network.generate(encoded, network.encode_style(each), (48, 64))
        for each in (style, shuffled)
    )
    torch.testing.assert_close(original, other, rtol=1e-4, atol=1e-4)
    embedded, positions, tokens = encoded
    (style_tokens,) = network.encode_style(style)
    here = network.transfer(encoded, style_tokens)
    elsewhere = network.transfer([embedded, positions.flip(3), tokens], style_tokens)
    assert (elsewhere - here).abs().max() > 1e-3


@torch.no_grad()
def test_attention_is_softmax_of_scaled_products(network: StyTr2) -> None:
    attention = network.style_decoder.layers[0].attentions[0]
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, n, 512, generator=generator) for n in (5, 7, 7))
    expected = nn.MultiheadAttention(512, 8, batch_first=True)
    layers = (attention.query, attention.key, attention.value)
    expected.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
    expected.in_proj_bias.copy_(torch.cat([layer.bias for layer in layers]))
    expected.out_proj.load_state_dict(attention.out.state_dict())
    torch.testing.assert_close(attention(query, key, value), expected(query, key, value)[0])


def test_initial_weights_are_the_published_ones() -> None:
    """Xavier for every matrix of the transformer; query, key and value count as one."""
    torch.manual_seed(0)
    network, attention = StyTr2(), nn.MultiheadAttention(512, 8)
    layer = network.style_encoder.layers[0]
    for ours in (layer.attention.query, layer.attention.key, layer.attention.value):
        assert ours.weight.std().item() == pytest.approx(
            attention.in_proj_weight.std().item(), rel=0.01
        )
        assert ours.bias.abs().max() == 0
    expected = (2 / (512 + 512)) ** 0.5
    assert layer.attention.out.weight.std().item() == pytest.approx(expected, rel=0.01)
    expected = (2 / (512 + 2048)) ** 0.5
    assert layer.feed_forward[0].weight.std().item() == pytest.approx(expected, rel=0.01)


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    network = StyTr2().train()
    content, style = images(1, 32, 32), images(1, 32, 32, seed=1)
    with torch.no_grad():
        assert not torch.equal(network(content, style), network(content, style))
        network.eval()
        assert torch.equal(network(content, style), network(content, style))
