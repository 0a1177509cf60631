"""Networks that come with DatNet: written by experiments.ship, checked when they are loaded."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torchmetrics.functional.image import structural_similarity_index_measure as ssim

from datnet import Stylizer
from datnet.errors import DatNetError
from datnet.images.embedded import sample_images
from datnet.images.finding import find_images
from datnet.images.tensors import read_square
from datnet.objectives.terms import global_style
from datnet.stylize import stylizer
from datnet.zoo import shipped, vgg_encoder
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import NetworkDescription, load_network, save_network
from experiments import ship
from tests.helpers.pixel_network import PixelNetwork


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished training, and an empty folder to ship to."""
    monkeypatch.setattr(shipped, "PRETRAINED", tmp_path / "pretrained")
    folder = tmp_path / "run"
    network = PixelNetwork()
    torch.nn.init.constant_(network.tint, 0.1)
    description = NetworkDescription(
        "pixel", {"_target_": "tests.helpers.pixel_network.PixelNetwork"}, {}
    )
    save_network(network, description, folder / "network.safetensors")
    (folder / "finished.json").write_text(json.dumps({"steps": 3}))
    return folder


def call_ship(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["ship", *map(str, arguments)])
    ship.main()


def test_a_shipped_network_paints(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DatNetError, match="no trained network comes with this version"):
        Stylizer()
    call_ship(monkeypatch, run)
    path = find_network("pixel")
    card = path.with_suffix(".md").read_text()
    assert "| reconstruction at 256 × 256 | contrast 0." in card, (
        "a brighter picture is cut at white"
    )
    assert load_file(path)["tint"].dtype == torch.int8
    monkeypatch.setattr(stylizer, "DEFAULT_NETWORK", "pixel")
    photo, painting = Image.new("RGB", (40, 40), "gray"), Image.new("RGB", (40, 40), "blue")
    stylized, expected = (
        Stylizer(checkpoint, "cpu")(photo, painting).getpixel((20, 20))
        for checkpoint in (None, run / "network.safetensors")
    )
    assert stylized == pytest.approx(expected, abs=1)
    with pytest.raises(DatNetError, match=r"did you mean pixel\?.* DatNet: pixel; methods"):
        find_network("pixels")


def test_a_damaged_one_is_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call_ship(monkeypatch, run)
    path = shipped.shipped_file("pixel")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(DatNetError, match=r"pixel\.safetensors .*differs from that in SHA256SUMS"):
        find_network("pixel")
    path.write_bytes(content)
    (path.parent / "SHA256SUMS").unlink()
    with pytest.raises(DatNetError, match="SHA256SUMS cannot be read"):
        find_network("pixel")


def test_what_may_not_be_shipped(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ship, "LEAST_PSNR", math.nan)  # never reached
    with pytest.raises(SystemExit, match="16 bits change"):
        call_ship(monkeypatch, run)
    assert not shipped.PRETRAINED.exists()
    monkeypatch.undo()
    monkeypatch.setattr(shipped, "PRETRAINED", tmp_path / "pretrained")
    (run / "finished.json").unlink()
    with pytest.raises(SystemExit, match="is not finished"):
        call_ship(monkeypatch, run)


class Shaded(PixelNetwork):
    """Adds a shade whose channels share one scale, so that 8 bits change the small ones."""

    def __init__(self) -> None:
        super().__init__()
        self.shade = torch.nn.Parameter(torch.tensor([0.3, 0.0011, 0.0011]).view(1, 3, 1, 1))

    def generate_mixed(self, *arguments: Any, **options: Any) -> torch.Tensor:
        return super().generate_mixed(*arguments, **options) + self.shade


def test_part_that_needs_16_bits_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Shaded()
    _, sixteen, psnr = ship.smallest(network, Path("shaded"))
    assert not sixteen
    assert ship.LEAST_PSNR < psnr < 70
    network = Shaded()
    monkeypatch.setattr(ship, "LEAST_PSNR", 70)
    tensors, sixteen, psnr = ship.smallest(network, Path("shaded"))
    assert sixteen == ["shade"]
    assert psnr >= 70
    assert {name: tensor.dtype for name, tensor in tensors.items()} == {
        "shade": torch.float16,
        "tint": torch.int8,
        "tint.int8_scale": torch.float32,
    }


def test_cards_need_an_evaluation(
    run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    call_ship(monkeypatch, run)
    with pytest.raises(SystemExit, match="holds no evaluation of"):
        call_ship(monkeypatch, "--evaluations", tmp_path)


@pytest.mark.network
@torch.no_grad()
@pytest.mark.parametrize("name", shipped.shipped_names())
def test_what_ships_is_trained(name: str) -> None:
    """Its pictures are much nearer to the paintings than the photographs are, and still those."""
    path = shipped.shipped_file(name)
    assert path.with_suffix(".md").is_file()
    try:
        encoder, network = vgg_encoder("vgg16"), load_network(path).eval()
    except DatNetError as error:
        pytest.skip(f"the weights cannot be obtained: {error}")
    sample = sample_images()
    photographs, paintings = (
        torch.cat([read_square(file, 128) for file in find_images(folder)[:3]])
        for folder in (sample.eval_content, sample.eval_style)
    )
    stylized = network(photographs, paintings)
    styles = encoder(paintings)
    distances = [global_style(encoder(images), styles) for images in (stylized, photographs)]
    assert distances[0] < 0.6 * distances[1]
    likenesses = [
        ssim(stylized, photographs.roll(shift, 0), data_range=1.0).item() for shift in range(3)
    ]
    assert likenesses[0] > 1.3 * max(likenesses[1:]), "more like its own photograph than others"
    if name == stylizer.DEFAULT_NETWORK:
        assert likenesses[0] > 0.4
