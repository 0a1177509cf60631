from __future__ import annotations

import math
import zlib
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from datnet.networks.cap_vstnet import (
    CAPVSTNet,
    CAPVSTNetArtistic,
    CAPVSTNetPhotorealistic,
    recolor_regions,
)
from datnet.networks.ops.reversible import (
    ReversibleBlock,
    channels_to_squares,
    squares_to_channels,
)
from datnet.networks.ops.whitening import cholesky_moments, recolor
from datnet.zoo.network_file import NetworkDescription, load_network, save_network
from tests.helpers.golden_weights import picture

KINDS = {"photo": CAPVSTNetPhotorealistic, "art": CAPVSTNetArtistic}


def random_numbers(key: str, like: Tensor) -> Tensor:
    return torch.randn(
        like.shape, generator=torch.Generator().manual_seed(zlib.crc32(key.encode()))
    )


@torch.no_grad()
def trained(kind: str) -> CAPVSTNet:
    """A network that does something, with the weights of ../shared/golden/networks.npz."""
    network = KINDS[kind]().eval()
    for name, blocks in (
        ("stack", network.reversible.blocks),
        ("channel_reduction.block_list", network.reversible.refinement),
    ):
        for index, block in enumerate(blocks):
            layers = [layer for layer in block.shift if isinstance(layer, nn.Conv2d)]
            for number, layer in zip((1, 4, 7), layers, strict=True):
                key = f"capvst_{kind}.{name}.{index}.conv.{number}"
                scale = 0.5 / math.sqrt(layer.weight[0].numel())
                layer.weight.copy_(scale * random_numbers(f"{key}.weight", layer.weight))
                layer.bias.copy_(0.02 * random_numbers(f"{key}.bias", layer.bias))
    return network


@pytest.fixture(params=KINDS)
def network(request: pytest.FixtureRequest) -> CAPVSTNet:
    return trained(request.param)


def images(height: int, width: int, seed: int = 0, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 4, 4, generator=generator)
    return nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_the_published_network(golden, kind: str) -> None:
    vectors, network = golden("networks"), trained(kind)
    latent = vectors[f"capvst_{kind}_latent"]
    torch.testing.assert_close(network.encode(picture(64, 64, 0)), latent, rtol=0, atol=1e-5)
    for suffix, content, style in (
        ("", picture(64, 64, 0), picture(64, 64, 1.7)),
        ("_rect", picture(64, 96, 0), picture(48, 80, 1.7)),
    ):
        output = network.generate(
            network.encode_content(content), network.encode_style(style), content.shape[2:]
        )
        expected = vectors[f"capvst_{kind}{suffix}"]
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_parameter_counts(kind: str) -> None:
    network = KINDS[kind]()
    counts = [
        sum(p.numel() for p in part.parameters())
        for part in (network.reversible.blocks, network.reversible.refinement, network)
    ]
    assert counts == [3_425_616, 664_320, 4_089_936]
    assert all(p.requires_grad for p in network.parameters())


def test_initial_biases_are_zero() -> None:
    biases = [p for name, p in CAPVSTNetArtistic().named_parameters() if name.endswith("bias")]
    assert len(biases) == 3 * 32
    assert not any(bias.any() for bias in biases)


def test_squares_become_channels_in_the_published_order() -> None:
    """Rows, columns, then the old channels."""
    features = torch.arange(2 * 4 * 6).view(1, 2, 4, 6)
    squeezed = squares_to_channels(features)
    assert squeezed.shape == (1, 8, 2, 3)
    for y in range(2):
        for x in range(2):
            for channel in range(2):
                expected = features[0, channel, y::2, x::2]
                assert torch.equal(squeezed[0, (2 * y + x) * 2 + channel], expected)
    assert torch.equal(channels_to_squares(squeezed), features)


@torch.no_grad()
@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_goes_back(stride: int) -> None:
    torch.manual_seed(0)
    block = ReversibleBlock(16, stride).double()
    shape = (2, 16 // stride**2, 8, 12)
    halves = (torch.rand(shape, dtype=torch.float64), torch.rand(shape, dtype=torch.float64))
    there = block(halves)
    assert there[0].shape == there[1].shape == (2, 16, 8 // stride, 12 // stride)
    for back, original in zip(block.inverse(there), halves, strict=True):
        torch.testing.assert_close(back, original, rtol=0, atol=1e-14)


@torch.no_grad()
@pytest.mark.parametrize("size", [(33, 50), (47, 32), (64, 35), (34, 49)])
def test_decoding_returns_the_encoded_image(network: CAPVSTNet, size: tuple[int, int]) -> None:
    batch = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    maps = network.encode(batch)
    torch.testing.assert_close(network.decode(maps, size), batch, rtol=0, atol=1e-5)
    network.double()
    maps = network.encode(batch.double())
    sides = tuple(-(-side // 4) * 4 for side in size)
    if isinstance(network, CAPVSTNetPhotorealistic):
        assert maps.shape == (2, 32, *sides)
    else:
        assert maps.shape == (2, 128, sides[0] // 2, sides[1] // 2)
    torch.testing.assert_close(network.decode(maps, size), batch.double(), rtol=0, atol=1e-12)


@torch.no_grad()
def test_sizes_are_extended_by_reflection_at_the_right_and_at_the_bottom() -> None:
    network, batch = trained("photo"), images(36, 36)
    batch[:, :, 34:] = batch[:, :, [32, 31]]
    batch[:, :, :, 33:] = batch[:, :, :, [31, 30, 29]]
    torch.testing.assert_close(network.encode(batch[:, :, :34, :33]), network.encode(batch))


@torch.no_grad()
def test_painted_maps_have_the_moments_of_the_style(network: CAPVSTNet) -> None:
    content, style = network.encode(images(48, 64)), network.encode(images(40, 36, seed=1))
    mean, factor = cholesky_moments(style)
    stylized = recolor(content.double(), mean, factor)
    new_mean, new_factor = cholesky_moments(stylized)
    torch.testing.assert_close(new_mean, mean, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(new_factor, factor, rtol=1e-4, atol=1e-7)


@torch.no_grad()
def test_without_style_the_content_remains(network: CAPVSTNet) -> None:
    content, style = images(33, 50), images(40, 36, seed=1)
    torch.testing.assert_close(network(content, style, alpha=0), content, rtol=0, atol=1e-5)
    torch.testing.assert_close(network(content, content), content, rtol=0, atol=1e-4)
    assert (network(content, style) - content).abs().mean() > 0.02


@torch.no_grad()
def test_alpha_and_mixtures_are_of_means_and_factors(network: CAPVSTNet) -> None:
    """As the published code interpolates: three quarters style, two styles in it."""
    content, first, second = images(32, 36), images(36, 32, seed=1), images(44, 32, seed=2)
    (maps,) = network.encode_content(content)
    styles = [network.encode_style(each) for each in (first, second)]
    mixed = network.generate_mixed([maps], styles, [0.4, 0.6], (32, 36), 0.75)
    own = cholesky_moments(maps)
    mean, factor = (
        0.75 * (0.4 * one + 0.6 * other) + 0.25 * same
        for one, other, same in zip(*styles, own, strict=True)
    )
    expected = network.decode(recolor(maps, mean, factor), (32, 36))
    torch.testing.assert_close(mixed, expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_autocast_changes_nothing(network: CAPVSTNet) -> None:
    content, style = images(32, 36), images(40, 32, seed=1)
    expected = network(content, style, 0.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network(content, style, 0.5), expected)


@torch.no_grad()
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_constant_images(network: CAPVSTNet, level: float) -> None:
    """Neither has all directions: content without any gets the style's mean, and the reverse."""
    constant, other = torch.full((1, 3, 32, 40), level), images(40, 36, seed=1)
    (maps,) = network.encode_content(constant)
    mean, factor = network.encode_style(other)
    stylized = recolor(maps, mean, factor)
    assert stylized.isfinite().all()
    assert (stylized.double().mean(dim=(2, 3)) - mean[:, :, 0]).abs().max() < 1e-5
    for content, style in ((constant, other), (other, constant), (constant, constant)):
        assert network(content, style).isfinite().all()
    torch.testing.assert_close(network(constant, constant), constant, rtol=0, atol=1e-4)


def checkerboard(height: int, width: int) -> Tensor:
    """Labels 3 and 7, left and right."""
    labels = torch.full((1, height, width), 3)
    labels[:, :, width // 2 :] = 7
    return labels


@torch.no_grad()
def test_one_region_is_the_whole_image(network: CAPVSTNet) -> None:
    content, style = images(33, 50), images(41, 36, seed=1)
    by_region = network.generate_by_region(
        network.encode_content(content),
        network.encode(style),
        torch.ones(1, 33, 50, dtype=torch.int64),
        torch.ones(1, 41, 36, dtype=torch.uint8),
        (33, 50),
        0.8,
    )
    whole = network.generate(
        network.encode_content(content), network.encode_style(style), (33, 50), 0.8
    )
    torch.testing.assert_close(by_region, whole, rtol=0, atol=1e-5)


@torch.no_grad()
def test_regions_take_the_moments_of_their_partners(network: CAPVSTNet) -> None:
    """Masks differ between images of the batch; label 7 of the style is at the left in one."""
    content, style = network.encode(images(48, 64, count=2)), network.encode(images(48, 48, 1, 2))
    stride = 48 // content.shape[2]
    content_labels = checkerboard(48, 64)[0, ::stride, ::stride]
    style_labels = checkerboard(48, 48)[0, ::stride, ::stride]
    for index, labels in enumerate((style_labels, style_labels.flip(1))):
        stylized = recolor_regions(
            content[index].double(), style[index].double(), content_labels, labels
        )
        for label in (3, 7):
            got = cholesky_moments(stylized[None, :, content_labels == label, None])
            expected = cholesky_moments(style[index][None, :, labels == label, None])
            torch.testing.assert_close(got[0], expected[0], rtol=1e-6, atol=1e-8)
            torch.testing.assert_close(got[1], expected[1], rtol=1e-4, atol=1e-7)


@torch.no_grad()
def test_a_batch_of_regions_is_painted_like_singles(network: CAPVSTNet) -> None:
    content, style = images(33, 50, count=2), images(40, 36, 1, 2)
    content_labels = torch.cat([checkerboard(33, 50), checkerboard(33, 50).flip(1)])
    style_labels = torch.cat([checkerboard(40, 36), checkerboard(40, 36).flip(2)])

    def paint(part: slice) -> Tensor:
        return network.generate_by_region(
            network.encode_content(content[part]),
            network.encode(style[part]),
            content_labels[part],
            style_labels[part],
            (33, 50),
        )

    together = paint(slice(None))
    assert together.shape == content.shape
    for index in range(2):
        one = slice(index, index + 1)
        torch.testing.assert_close(together[one], paint(one), rtol=0, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("unfit", ["absent", "small", "much larger"])
def test_a_region_without_a_fit_partner_stays(unfit: str) -> None:
    generator = torch.Generator().manual_seed(0)
    content, style = (torch.rand(2, 40, 60, generator=generator) for _ in range(2))
    content_labels, style_labels = torch.zeros(40, 60), torch.zeros(40, 60)
    content_labels[:20] = 1
    if unfit == "small":
        style_labels[0, :10] = 1
        fit = style_labels.clone()
        fit[0, 10] = 1
        content_labels[11:] = 0
    if unfit == "much larger":
        style_labels[0, :12] = 1
        fit = style_labels.clone()
        fit[0, 12] = 1
    stylized = recolor_regions(content, style, content_labels, style_labels)
    region = content_labels == 1
    assert torch.equal(stylized[:, region], content[:, region])
    assert not torch.isclose(stylized[:, ~region], content[:, ~region]).all()
    if unfit != "absent":
        stylized = recolor_regions(content, style, content_labels, fit)
        assert not torch.isclose(stylized[:, region], content[:, region]).all()


def test_labels_of_another_size_are_refused() -> None:
    network, content = trained("photo"), images(33, 50)
    maps = network.encode(content)
    good = torch.ones(1, 33, 50, dtype=torch.int64)
    for bad in (good[:, :28], good.float(), good.repeat(2, 1, 1), good.repeat(1, 2, 2)):
        for labels in ((good, bad), (bad, good)):
            with pytest.raises(ValueError, match="labels are"):
                network.generate_by_region([maps], maps, *labels, (33, 50))


@torch.no_grad()
def test_a_saved_network_is_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = CAPVSTNetArtistic().eval()
    node = {"_target_": "datnet.networks.cap_vstnet.CAPVSTNetArtistic"}
    description = NetworkDescription("cap_vstnet_artistic", node, encoder={})
    save_network(network, description, tmp_path / "file")
    content, style = images(32, 36), images(40, 32, seed=1)
    loaded = load_network(tmp_path / "file")
    torch.testing.assert_close(loaded(content, style), network(content, style))
