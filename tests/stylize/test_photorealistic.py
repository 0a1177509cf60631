"""CAP-VSTNet for photographs: which file is used, and stylizing by regions."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datnet import Stylizer
from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.images.opening import open_regions, region_labels
from datnet.images.tensors import to_image
from datnet.networks.cap_vstnet import CAPVSTNetArtistic, CAPVSTNetPhotorealistic
from datnet.stylize.photorealistic import NAME, photorealistic_file
from datnet.zoo import shipped
from datnet.zoo.network_file import NetworkDescription, save_network
from tests.helpers.pixel_network import write_pixel_network

RED, BLUE, GREEN = (255, 0, 0), (0, 0, 255), (0, 255, 0)


@pytest.fixture(scope="module")
def network_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A photorealistic and an artistic network with random weights."""
    folder = tmp_path_factory.mktemp("networks")
    files = {}
    for name, kind in ((NAME, CAPVSTNetPhotorealistic), ("artistic", CAPVSTNetArtistic)):
        torch.manual_seed(0)
        target = f"{kind.__module__}.{kind.__name__}"
        files[name] = folder / f"{name}.safetensors"
        description = NetworkDescription(name, {"_target_": target}, {"arch": "vgg16"})
        save_network(kind(), description, files[name])
    return files


@pytest.fixture
def stylizer(network_files: dict[str, Path]) -> Stylizer:
    return Stylizer(network_files[NAME], "cpu")


def photograph(width: int, height: int, seed: int) -> Image.Image:
    small = torch.rand(3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return to_image(small).resize((width, height), Image.Resampling.BICUBIC)


def halves(width: int, height: int, left: tuple, right: tuple) -> Image.Image:
    picture = Image.new("RGB", (width, height), right)
    picture.paste(left, (0, 0, width // 2, height))
    return picture


# ---------------------------------------------------------------------------------- which network


def test_places_in_order(
    tmp_path: Path, network_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    given, pretrained = tmp_path / "given", tmp_path / "pretrained"
    monkeypatch.setenv("DATNET_WEIGHTS", str(given))
    monkeypatch.setattr(shipped, "PRETRAINED", pretrained)
    with pytest.raises(DatNetError) as error:
        photorealistic_file()
    for part in (str(given), "datnet train model=cap_vstnet_photorealistic"):
        assert part in str(error.value)
    content = network_files[NAME].read_bytes()
    for folder in (pretrained, given):
        folder.mkdir()
        (folder / f"{NAME}.safetensors").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        (folder / "SHA256SUMS").write_text(f"{digest}  {NAME}.safetensors\n")
        assert photorealistic_file() == folder / f"{NAME}.safetensors"
    assert photorealistic_file(network_files[NAME]) == network_files[NAME]


def test_another_network_is_refused(network_files: dict[str, Path]) -> None:
    with pytest.raises(DatNetError, match="is not a photorealistic network"):
        photorealistic_file(network_files["artistic"])


# ---------------------------------------------------------------------------------------- regions


def test_regions_are_painted_like_those_of_the_same_colour(stylizer: Stylizer) -> None:
    """Where the other half of the style is another one, one half of the result stays."""
    content = photograph(64, 48, seed=1)
    first = halves(48, 40, RED, BLUE)
    styles = [photograph(48, 40, seed=2), photograph(48, 40, seed=2)]
    styles[1].paste(photograph(24, 40, seed=3), (24, 0))
    regions = (halves(64, 48, RED, BLUE), first)
    one, other = (np.asarray(stylizer(content, s, regions=regions)).astype(int) for s in styles)
    # The network sees the pixels around each of them, too.
    change = np.abs(one - other)
    assert change[:, :12].mean() < 1
    assert change[:, -12:].mean() > 10 * change[:, :12].mean()
    swapped = stylizer(content, styles[0], regions=(halves(64, 48, BLUE, RED), first))
    assert np.abs(one - np.asarray(swapped)).mean() > 2


def test_what_has_no_counterpart_stays(stylizer: Stylizer) -> None:
    content, style = photograph(64, 48, seed=1), photograph(48, 40, seed=2)
    regions = (halves(64, 48, RED, GREEN), halves(48, 40, RED, BLUE))
    result = np.asarray(stylizer(content, style, regions=regions)).astype(int)
    change = np.abs(result - np.asarray(content))
    assert change[:, -8:].max() <= 1
    assert change[:, :8].mean() > 2


def test_one_region_is_the_whole_picture(stylizer: Stylizer) -> None:
    content, style = photograph(64, 48, seed=1), photograph(48, 40, seed=2)
    flat = Image.new("RGB", (32, 32), RED)
    whole, by_region = stylizer(content, style), stylizer(content, style, regions=(flat, flat))
    assert np.abs(np.asarray(whole).astype(int) - np.asarray(by_region)).max() <= 1
    encoded = stylizer.encode_style(style)
    assert stylizer(content, encoded, regions=(flat, flat)).tobytes() == by_region.tobytes()


def test_labels_tell_colours_apart_whatever_the_picture() -> None:
    labels = region_labels(halves(8, 4, RED, BLUE), (4, 2))
    assert labels.shape == (1, 2, 4)
    assert labels[0, 0].tolist() == [255, 255, 255 * 65536, 255 * 65536]


def test_bad_regions(stylizer: Stylizer, tmp_path: Path) -> None:
    content = photograph(64, 48, seed=1)
    flat = Image.new("RGB", (32, 32), RED)
    with pytest.raises(DatNetError, match="no color in common"):
        stylizer(content, content, regions=(flat, Image.new("RGB", (32, 32), BLUE)))
    with pytest.raises(DatNetError, match="not of 2"):
        stylizer(content, [content, content], regions=(flat, flat))
    content.save(tmp_path / "photograph.png")
    with pytest.raises(DatNetError, match=r"photograph\.png has more than 64 colors"):
        open_regions(tmp_path / "photograph.png")


# -------------------------------------------------------------------------------- the command line


def run(*arguments: str) -> int:
    """The exit status of `datnet stylize`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["datnet", "stylize", *arguments, "--device", "cpu"])
        with pytest.raises(SystemExit) as end:
            main()
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    pictures = {
        "content": photograph(64, 48, seed=1),
        "style": photograph(48, 40, seed=2),
        "regions": halves(64, 48, RED, BLUE),
        "style_regions": halves(48, 40, RED, BLUE),
    }
    for name, picture in pictures.items():
        picture.save(tmp_path / f"{name}.png")
    return {name: str(tmp_path / f"{name}.png") for name in pictures}


def test_command_line(
    files: dict[str, str], network_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATNET_WEIGHTS", str(network_files[NAME].parent))
    output = files["content"].replace("content", "result")
    command = [files["content"], files["style"], "-o", output, "--photorealistic"]
    assert run(*command) == 0
    plain = Image.open(output).tobytes()
    regions = ["--regions", files["regions"], files["style_regions"]]
    assert run(*command, *regions) == 0
    assert Image.open(output).tobytes() != plain


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{content}", "{style}", "--checkpoint", "{pixel}"], "cannot stylize by regions"),
        (["{content}", "{style}", "-o", "{regions}"], "would be overwritten"),
        (["{content}", "{regions}", "{style}"], "one photograph and one style"),
    ],
)
def test_mistakes_on_the_command_line(
    files: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    pixel = write_pixel_network(tmp_path / "pixel.safetensors")
    filled = [each.format(**files, pixel=pixel) for each in arguments]
    regions = ["--regions", files["regions"], files["style_regions"]]
    assert run(*filled, *regions) == 1
    assert message in capsys.readouterr().err
