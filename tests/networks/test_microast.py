from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from datnet.networks.microast import MicroAST
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network
from tests.helpers.golden_weights import fill, picture


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.fixture
def network() -> MicroAST:
    torch.manual_seed(1)
    return MicroAST().eval()


@pytest.fixture(scope="module")
def trained(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> MicroAST:
    """The network that its authors published."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATNET_CACHE", str(tmp_path_factory.mktemp("cache")))
        network = load_network(find_network(shared / "golden" / "microast"))
    assert isinstance(network, MicroAST)
    return network


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Tensor]:
    """Results of the published code for its demo images with its published weights."""
    with np.load(shared / "golden" / "microast" / "reference.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def images(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 4, 4, generator=generator)
    return nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)


@torch.no_grad()
def test_agrees_with_the_published_network(golden, network: MicroAST) -> None:
    vectors = golden("networks")
    blocks = ("enc1.10.conv1", "enc1.10.conv2", "enc2.0.conv1", "enc2.0.conv2")
    encoder = [*(f"enc1.{i}" for i in (0, 2, 4, 6, 8)), *blocks]
    decoder = [f"{block}.{conv}" for block in ("dec1", "dec2") for conv in ("conv1", "conv2")]
    decoder += [f"dec3.{i}" for i in (1, 3, 6, 8, 10)]
    modulator = [f"{signal}.0" for signal in ("weight1", "bias1", "weight2", "bias2")]
    for part, module, keys in (
        ("content_encoder", network.content_encoder, encoder),
        ("style_encoder", network.style_encoder, encoder),
        ("modulator", network.modulator, modulator),
        ("decoder", network.decoder, decoder),
    ):
        fill(module, [f"microast.{part}.{key}.conv_layer" for key in keys])
    for suffix, content, style in (
        ("", picture(64, 64, 0), picture(64, 64, 1.7)),
        ("_rect", picture(64, 96, 0), picture(48, 80, 1.7)),
    ):
        expected = vectors[f"microast{suffix}"]
        output = network.generate(
            network.encode_content(content), network.encode_style(style), content.shape[2:]
        )
        assert (output - expected).abs().max() <= 1e-3 * expected.abs().max()


@torch.no_grad()
def test_trained_network_paints_what_the_published_code_does(
    trained: MicroAST, reference: dict[str, Tensor]
) -> None:
    content, style = reference["content"], reference["style"]
    output = trained.generate(
        trained.encode_content(content), trained.encode_style(style), content.shape[2:]
    )
    torch.testing.assert_close(output, reference["output"], rtol=0, atol=1e-3)


@torch.no_grad()
def test_a_weaker_style_is_still_a_picture(trained: MicroAST, reference: dict[str, Tensor]) -> None:
    """The published code returns a flat color at every alpha between 0 and 1."""
    content, style = reference["content"], reference["style"]
    published = reference["output_alpha05"].clamp(0, 1)
    spread = content.std()
    assert published.std(dim=(2, 3)).mean() < 0.3 * spread
    for alpha in (0.25, 0.5, 0.75):
        stylized = trained(content, style, alpha)
        assert stylized.std(dim=(2, 3)).mean() > 0.5 * spread


@torch.no_grad()
def test_trained_features_and_signals_are_the_published_ones(
    trained: MicroAST, reference: dict[str, Tensor]
) -> None:
    features = trained.encode_content(reference["content"])[:2]
    features += trained.encode_style(reference["style"])
    names = ("cf1", "cf2", "sf1", "sf2", "w1", "b1", "w2", "b2")
    for name, tensor in zip(names, features, strict=True):
        torch.testing.assert_close(tensor, reference[name], rtol=0, atol=1e-3, msg=name)


def test_parameter_counts(network: MicroAST) -> None:
    """By module, as counted in the published implementation; everything is trained."""
    assert count(network.content_encoder) == count(network.style_encoder) == 157_792
    assert count(network.modulator) == 2_560
    assert count(network.decoder) == 153_843
    assert count(network) == 471_987
    assert all(p.requires_grad for p in network.parameters())


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (33, 50), (34, 47), (35, 130)])
def test_any_size_is_painted_in_place(trained: MicroAST, size: tuple[int, int]) -> None:
    """Sizes that are no multiple of 4 give what lies at the top left of the next larger one."""
    height, width = (4 * -(-side // 4) for side in size)
    content, style = images(1, height, width), images(1, 61, 40, seed=1)
    whole = trained(content, style)
    part = trained(content[:, :, : size[0], : size[1]], style)
    assert part.shape == (1, 3, *size)
    assert (part - whole[:, :, : size[0], : size[1]]).abs().mean() < 0.02
    shifted = (part[:, :, 2:, 2:] - whole[:, :, : size[0] - 2, : size[1] - 2]).abs().mean()
    assert shifted > 0.03


@torch.no_grad()
def test_one_encoded_style_serves_many_contents(trained: MicroAST) -> None:
    content, style = images(3, 48, 64), images(1, 61, 40, seed=1)
    encoded = trained.encode_style(style)
    assert all(len(each) == 1 for each in encoded)
    repeated = [each.expand(3, *each.shape[1:]) for each in encoded]
    together = trained.generate(trained.encode_content(content), repeated, (48, 64))
    for index in range(3):
        one = trained.encode_content(content[index : index + 1])
        alone = trained.generate(one, encoded, (48, 64))
        torch.testing.assert_close(together[index : index + 1], alone, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_signals_are_full_precision_in_16_bits(network: MicroAST) -> None:
    style = images(2, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        signals = network.encode_style(style)[2:]
    for signal, exact in zip(signals, network.encode_style(style)[2:], strict=True):
        assert signal.dtype == torch.float32
        torch.testing.assert_close(signal, exact, rtol=0.02, atol=0.01)
