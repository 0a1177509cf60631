"""Tuning a network to paintings, with a clock that ticks as the test wants."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from datnet import Stylizer
from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.networks.adain import AdaIN
from datnet.training import tuning, tuning_beginning
from datnet.training.tuning import Settings, tune
from datnet.zoo import vgg_encoder
from datnet.zoo.network_file import (
    NetworkDescription,
    load_network,
    own_paintings,
    read_description,
    save_network,
)
from tests.helpers.pixel_network import write_pixel_network

SIDE = 32


@pytest.fixture
def encoder_settings(encoder_file: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    settings = {"arch": "vgg16", "weights": str(encoder_file), "normalized": False}
    monkeypatch.setattr(tuning_beginning, "ENCODER", settings)
    return settings


@pytest.fixture
def adain(encoder_settings: dict, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "adain.safetensors"
    description = NetworkDescription(
        "adain",
        {"_target_": "datnet.networks.adain.AdaIN"},
        encoder_settings,
        {"steps": 10, "images_per_step": 4},
    )
    save_network(AdaIN(vgg_encoder(**encoder_settings)), description, path)
    return path


def ticking(seconds: float):
    ticks = count()
    return lambda: seconds * next(ticks)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["datnet", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_a_tuned_network_stylizes_with_its_painting(
    adain: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output, painting = tmp_path / "mystyle.safetensors", pictures / "style" / "1.png"
    photo, result = pictures / "content" / "0.png", tmp_path / "result.png"
    command = ("tune", painting, "-o", output, "--begin", adain, "--steps", 2, "--size", 64)
    assert call(monkeypatch, *command, "--photos", pictures / "content", "--device", "cpu") == 0
    assert f"wrote {output}: datnet stylize photo.jpg --checkpoint" in capsys.readouterr().out
    assert Image.open(tmp_path / "mystyle.preview.jpg").size == (3 * 68 + 4, 2 * 68 + 4)

    before, after = load_file(adain), load_file(output)
    assert after.keys() == before.keys() | {"paintings.0"}
    assert any(not torch.equal(after[name], tensor) for name, tensor in before.items())
    training = read_description(output).training
    assert (training["steps"], training["images_per_step"]) == (2, 2)
    assert (training["init_from"]["steps"], training["init_from"]["images"]) == (10, 40)
    assert load_network(output).decoder[0].weight.shape == (256, 512, 3, 3)

    # Without a painting, with it, and with another one.
    assert call(monkeypatch, "stylize", photo, "-o", result, "--checkpoint", output) == 0
    with Image.open(result) as image:
        assert image.size == (64, 48)
        assert image.tobytes() == Stylizer(output)(photo, painting).tobytes()
    other = pictures / "style" / "2.png"
    assert call(monkeypatch, "stylize", photo, other, "-o", result, "--checkpoint", output) == 1
    error = capsys.readouterr().err
    assert f"{other}: this network does not know this painting, only 1.png" in error


def test_several_paintings_are_chosen_by_name(
    encoder_settings: dict,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "two.safetensors"
    paintings = [pictures / "style" / f"{number}.png" for number in (3, 1)]
    settings = Settings("johnson", pictures / "content", steps=1, size=SIDE, device="cpu")
    tune(paintings, output, settings, report=lambda line: None, clock=ticking(0))
    assert list(own_paintings(output)) == ["3.png", "1.png"]
    photo = pictures / "content" / "0.png"
    command = ("stylize", photo, "-o", tmp_path / "result.png", "--checkpoint", output)
    assert call(monkeypatch, *command) == 1
    assert "knows 2 paintings; choose with --style: 3.png, 1.png" in capsys.readouterr().err
    assert call(monkeypatch, *command, "--style", "3.png:3", "--style", paintings[1]) == 0

    # A network that was trained for one painting is a beginning for another.
    again = Settings(str(output), pictures / "content", steps=1, size=SIDE, device="cpu")
    tune([pictures / "style" / "0.png"], output, again, report=lambda line: None, clock=ticking(0))
    assert list(own_paintings(output)) == ["0.png"]


def test_it_ends_when_the_time_is_over_or_nothing_changes(
    adain: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    painting, output = pictures / "style" / "1.png", tmp_path / "tuned.safetensors"
    settings = Settings(str(adain), pictures / "content", minutes=2, size=SIDE, device="cpu")

    def steps_and_lines(seconds: float) -> tuple[int, list[str]]:
        lines: list[str] = []
        tune([painting], output, settings, report=lines.append, clock=ticking(seconds))
        return read_description(output).training["steps"], lines

    monkeypatch.setattr(tuning, "UNCHANGED", 0.0)
    steps, lines = steps_and_lines(5)
    assert 4 < steps < 24  # two looks at the clock per step
    assert len(lines) == 3  # the first, that of the first minute and the last
    assert lines[0].startswith("step 0: style distance ")
    assert "changed by" in lines[1]
    monkeypatch.setattr(tuning, "UNCHANGED", 1000.0)
    fewer, lines = steps_and_lines(5)
    assert fewer < steps
    assert lines[-2] == "the preview no longer changes"


def test_what_is_learnt_until_an_interruption_is_written(
    adain: Path, pictures: Path, tmp_path: Path
) -> None:
    output = tmp_path / "tuned.safetensors"
    settings = Settings(str(adain), pictures / "content", size=SIDE, device="cpu")
    ticks = count()

    def clock() -> float:
        if next(ticks) > 8:
            raise KeyboardInterrupt
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        tune([pictures / "style" / "1.png"], output, settings, report=print, clock=clock)
    assert read_description(output).training["steps"] >= 1


def test_what_cannot_be_tuned_is_refused(
    adain: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    painting = pictures / "style" / "1.png"
    pixel = write_pixel_network(tmp_path / "pixel.safetensors")
    for paintings, begin, words in (
        ([painting], str(pixel), "is not trained, so it cannot be tuned"),
        ([painting, pictures / "content" / "1.png"], str(adain), "two paintings are called 1.png"),
        ([tmp_path / "none.jpg"], str(adain), "none.jpg"),
    ):
        with pytest.raises(DatNetError, match=words):
            tune(paintings, tmp_path / "tuned.safetensors", Settings(begin), report=print)
    assert call(monkeypatch, "tune", painting, "-o", tmp_path / "tuned.pt") == 1
    assert "must be *.safetensors" in capsys.readouterr().err
