from __future__ import annotations

import math
import zlib
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datnet.networks.artflow import ArtFlow, ArtFlowAdaIN, ArtFlowWCT
from datnet.networks.flow import Flow
from datnet.zoo.network_file import NetworkDescription, load_network, save_network
from tests.helpers.golden_weights import picture

KINDS = {"adain": ArtFlowAdaIN, "wct": ArtFlowWCT}


def random_numbers(key: str, like: Tensor) -> Tensor:
    return torch.randn(
        like.shape, generator=torch.Generator().manual_seed(zlib.crc32(key.encode()))
    )


@torch.no_grad()
def fill_flow(flow: Flow) -> None:
    """The weights of the published network, by networks.md, section 13."""
    for block_index, block in enumerate(flow.blocks):
        for step_index, step in enumerate(block.steps):
            prefix = f"artflow.glow.blocks.{block_index}.flows.{step_index}"
            norm, mixing, shift = step.norm, step.mixing, step.coupling.shift
            norm.loc.copy_(0.1 * random_numbers(f"{prefix}.actnorm.loc", norm.loc))
            norm.scale.copy_(1 + 0.1 * random_numbers(f"{prefix}.actnorm.scale", norm.scale))
            norm.initialized.fill_(True)
            channels = len(mixing.sign)
            mixing.permutation.copy_(torch.eye(channels).flip(0))
            mixing.sign.copy_(torch.tensor([1.0, -1.0]).repeat(channels // 2))
            for letter, tensor in zip(
                "lus", (mixing.lower, mixing.upper, mixing.log_diagonal), strict=True
            ):
                tensor.copy_(0.05 * random_numbers(f"{prefix}.invconv.w_{letter}", tensor))
            prefix = f"{prefix}.coupling.net"
            for name, layer in (("0", shift[0]), ("2", shift[2]), ("4.conv", shift[4].convolution)):
                scale = 0.3 / math.sqrt(layer.weight[0].numel())
                layer.weight.copy_(scale * random_numbers(f"{prefix}.{name}.weight", layer.weight))
                layer.bias.copy_(0.02 * random_numbers(f"{prefix}.{name}.bias", layer.bias))
            shift[4].scale.copy_(0.02 * random_numbers(f"{prefix}.4.scale", shift[4].scale))


@pytest.fixture(params=KINDS)
def network(request: pytest.FixtureRequest) -> ArtFlow:
    return trained(request.param)


def trained(kind: str) -> ArtFlow:
    """A network with non-trivial weights, as if trained."""
    network = KINDS[kind]()
    fill_flow(network.flow)
    return network.eval()


def noise(height: int, width: int, seed: int) -> Tensor:
    """Images whose maps fill all 48 dimensions, so that WCT leaves nothing out."""
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


GOLDEN_PAIRS = {
    "": (picture(64, 64, 0), picture(64, 64, 1.7)),
    "_rect": (picture(64, 96, 0), picture(48, 80, 1.7)),
}


@torch.no_grad()
@pytest.mark.parametrize("suffix", GOLDEN_PAIRS)
def test_adain_equals_the_published_network(golden, suffix: str) -> None:
    vectors = golden("networks")
    network = trained("adain")
    content, style = GOLDEN_PAIRS[suffix]
    if not suffix:
        expected = vectors["artflow_latent"]
        torch.testing.assert_close(network.encode(content)[0], expected, rtol=0, atol=2e-5)
    expected = vectors[f"artflow_adain{suffix}"]
    output = network.generate(network.encode(content), network.encode(style), content.shape[2:])
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("suffix", GOLDEN_PAIRS)
def test_wct_equals_the_published_network(golden, suffix: str) -> None:
    """But for directions that are next to empty.

    Of these maps' 48 directions 25 have a variance of 1e-6 to 1e-4, beside 10 at the other end. The
    published float32 decomposition has errors of about 1e-6, so which of them count, and how much,
    is rounding noise: maps that differ by 1e-7 of their values move its images by 0.002 (square) to
    0.025 (other), and ours by 4e-6. We differ from its stored images by up to 0.006 and 0.014.

    A painting encodes to the transferred maps, so the rest can be compared: how they answer to
    every direction of the content with a variance of more than 1e-4.
    """
    published = golden("networks")[f"artflow_wct{suffix}"]
    network = trained("wct")
    content, style = GOLDEN_PAIRS[suffix]
    content_maps, style_maps = network.encode(content)[0], network.encode(style)[0]
    output = network.generate([content_maps], [style_maps], content.shape[2:])
    assert (output - published).abs().max() < 0.02
    assert (output - published).square().mean().sqrt() < 2.5e-3

    flat = content_maps[0].flatten(1).double()
    variances, directions = torch.linalg.eigh(flat.cov())
    whitened = directions[:, variances > 1e-4].mT @ flat
    whitened = (whitened - whitened.mean(1, keepdim=True)) / whitened.std(1, keepdim=True)
    assert len(whitened) == 23
    answers = [
        network.encode(images)[0][0].flatten(1).double() @ whitened.mT / (flat.shape[1] - 1)
        for images in (output, published)
    ]
    assert (answers[0] - answers[1]).abs().max() < 1e-3 * answers[1].abs().max()


def test_parameter_counts() -> None:
    network = ArtFlowAdaIN()
    blocks = [sum(p.numel() for p in block.parameters()) for block in network.flow.blocks]
    assert blocks == [2_550_400, 3_913_216]
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 6_463_616


@torch.no_grad()
@pytest.mark.parametrize("size", [(33, 50), (47, 32), (64, 35)])
def test_decoding_returns_the_encoded_image(size: tuple[int, int]) -> None:
    network = trained("adain")
    images = torch.cat([noise(*size, seed=0), noise(*size, seed=1)])
    maps = network.encode(images)[0]
    assert maps.shape == (2, 48, -(-size[0] // 4), -(-size[1] // 4))
    torch.testing.assert_close(network.decode(maps, size), images, rtol=0, atol=1e-4)
    network.double()
    images = images.double()
    decoded = network.decode(network.encode(images)[0], size)
    torch.testing.assert_close(decoded, images, rtol=0, atol=1e-11)


@torch.no_grad()
def test_sizes_are_extended_by_reflection_at_the_right_and_at_the_bottom() -> None:
    network, images = trained("adain"), noise(36, 36, seed=0)
    images[:, :, 34:] = images[:, :, [32, 31]]
    images[:, :, :, 33:] = images[:, :, :, [31, 30, 29]]
    torch.testing.assert_close(network.encode(images[:, :, :34, :33]), network.encode(images))


@torch.no_grad()
def test_content_does_not_leak(network: ArtFlow) -> None:
    """Stylizing a result with its style again changes nothing; with its content it restores it."""
    content, style = noise(32, 48, seed=0), noise(40, 36, seed=1).square()
    content_maps, style_maps = network.encode(content), network.encode(style)
    stylized = network.generate(content_maps, style_maps, (32, 48))
    assert (stylized - content).abs().mean() > 0.05
    again = network.generate(network.encode(stylized), style_maps, (32, 48))
    torch.testing.assert_close(again, stylized, rtol=0, atol=1e-3)
    back = network.generate(network.encode(again), content_maps, (32, 48))
    torch.testing.assert_close(back, content, rtol=0, atol=1e-3)


@torch.no_grad()
def test_without_style_the_content_remains(network: ArtFlow) -> None:
    content, style = noise(33, 50, seed=0), noise(40, 36, seed=1)
    torch.testing.assert_close(network(content, style, alpha=0), content, rtol=0, atol=1e-3)


@torch.no_grad()
def test_autocast_changes_nothing(network: ArtFlow) -> None:
    content, style = noise(32, 36, seed=0), noise(40, 32, seed=1)
    expected = network(content, style, 0.5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network(content, style, 0.5), expected)


@torch.no_grad()
def test_a_saved_network_stays_initialised(tmp_path: Path) -> None:
    network = ArtFlowWCT().train()
    network.encode_content(noise(32, 32, seed=0))
    node = {"_target_": "datnet.networks.artflow.ArtFlowWCT"}
    save_network(network, NetworkDescription("artflow_wct", node, encoder={}), tmp_path / "file")
    loaded = load_network(tmp_path / "file")
    assert isinstance(loaded, ArtFlowWCT)
    other = 0.1 * noise(32, 32, seed=1)
    assert torch.equal(loaded.train().encode_content(other)[0], network.encode_content(other)[0])
    assert torch.equal(
        loaded.flow.blocks[0].steps[0].norm.loc, network.flow.blocks[0].steps[0].norm.loc
    )
