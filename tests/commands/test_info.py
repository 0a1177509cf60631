"""`datnet info` and the model card: facts about a network, from its file alone."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from datnet.commands.main import main
from datnet.evaluation.evaluate import results_folder
from datnet.evaluation.of_network import find_summaries
from datnet.evaluation.summary import Estimate, EvaluationSummary
from datnet.zoo.card import NetworkFile, model_card
from datnet.zoo.network_file import NetworkDescription, save_network
from tests.helpers.pixel_network import PixelNetwork

TRAINING = {
    "steps": 7,
    "images_per_step": 2,
    "seed": 1,
    "validation_loss": 45.159027099609375,
    "commit": "abc1234",
    "data": {
        "content_dir": "/home/nobody/birds",
        "style_dir": "/mnt/museum/prints/",
        "crop_size": 64,
        "short_side": 96,
        "licence": "CC BY 4.0, by the museum",
    },
    "images": {"content": 1500, "style": 12},
    "objective": {"_target_": "datnet.objectives.adain.AdaInObjective", "style": 10.0},
}
DESCRIPTION = NetworkDescription(
    "pixels",
    {"_target_": "tests.helpers.pixel_network.PixelNetwork"},
    {"arch": "vgg16", "weights": "/home/nobody/weights/vgg16.safetensors"},
    TRAINING,
)


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network file in the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "network.safetensors"
    save_network(PixelNetwork(), DESCRIPTION, path)
    return path


@pytest.fixture
def info(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Call the command; return its status, output and errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["datnet", "info", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        return (int(stop.value.code or 0), *capsys.readouterr())

    return call


def summary(description: str, ssim: float, pictures: str = "0123") -> EvaluationSummary:
    return EvaluationSummary(
        description, "Two pairs at 32.", pictures, {"ssim": Estimate(ssim)}, {}, {}
    )


def test_the_facts_as_text(network: Path, info: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = info(network)
    assert (status, err) == (0, "")
    rows = dict(line.split("  ", 1) for line in out.splitlines())
    rows = {title: value.strip() for title, value in rows.items()}
    assert rows["name"] == "pixels"
    assert rows["class"] == "tests.helpers.pixel_network.PixelNetwork"
    assert rows["encoder"] == "none, the network has its own"
    assert rows["parameters"].startswith("3:")
    assert rows["SHA-256"] == hashlib.sha256(network.read_bytes()).hexdigest()
    assert rows["content images"] == "1,500 images, folder birds"
    assert rows["style images"] == "12 images, folder prints"
    assert rows["license of the pictures"] == "CC BY 4.0, by the museum"
    assert rows["crops"] == "64 × 64 pixels of images resized to a shorter side of 96"
    assert rows["steps"] == "7 of 2 pairs, 14 pairs in all"
    assert rows["weights of the loss"] == "style 10.0"
    assert rows["validation loss"] == "45.159"
    assert rows["commit"] == "abc1234"
    assert "/" not in out.replace("datnet/", "")


def test_json_holds_the_whole_header(
    network: Path, info: Callable[..., tuple[int, str, str]]
) -> None:
    status, out, _ = info("network.safetensors", "--json")
    report = json.loads(out)
    assert status == 0
    assert {key: report[key] for key in dataclasses.asdict(DESCRIPTION)} == dataclasses.asdict(
        DESCRIPTION
    )
    assert report["bytes"] == network.stat().st_size
    assert report["sha256"] == hashlib.sha256(network.read_bytes()).hexdigest()
    assert report["parameters"]["total"] == 3
    assert report["file"] == "network.safetensors"


def test_the_card(network: Path, info: Callable[..., tuple[int, str, str]]) -> None:
    status, card, _ = info(network, "--card")
    assert status == 0
    assert card.startswith("# pixels\n")
    assert card == model_card(NetworkFile.read(network))
    assert "A minimal style transfer network" in card  # what the method's file says of it
    assert "| license of the pictures | CC BY 4.0, by the museum |" in card
    assert "| content images | 1,500 images, folder birds |" in card
    assert "It saw 14 pairs of pictures" in card
    assert "## Measured\n\nNothing yet" in card
    assert "datnet stylize photo.jpg painting.jpg" in card


@pytest.mark.parametrize("evaluated_as", ["pixels", "pixels _home_nobody_network.safetensors"])
def test_the_card_names_no_folder_of_the_machine(
    evaluated_as: str, network: Path, info: Callable[..., tuple[int, str, str]]
) -> None:
    row = summary(evaluated_as, 0.25)
    row.save(results_folder(Path("evaluations"), "pixels", network) / "summary.json")
    card = info(network, "--card")[1]
    assert "0.25" in card
    for word in ("/home", "/mnt", "nobody", "museum/", str(network.parent)):
        assert word not in card, word


def test_pictures_without_a_stated_licence(network: Path) -> None:
    data = {**TRAINING["data"], "licence": None}  # type: ignore[dict-item]
    training = {**TRAINING, "data": data}
    save_network(PixelNetwork(), dataclasses.replace(DESCRIPTION, training=training), network)
    card = model_card(NetworkFile.read(network))
    assert "| license of the pictures | not recorded (data.licence=" in card


def test_the_card_shows_the_newest_evaluation_of_this_very_file(
    network: Path, info: Callable[..., tuple[int, str, str]]
) -> None:
    for age, (folder, ssim) in enumerate((("new", 0.6), ("old", 0.1))):
        path = results_folder(Path("results") / folder, "pixels", network) / "summary.json"
        summary("pixels", ssim).save(path)
        os.utime(path, (1e9 - age, 1e9 - age))
    summary("identity", 1).save(Path("results/new/identity/summary.json"))
    summary("style copy", 0.3, "other").save(Path("results/new/style_copy/summary.json"))
    summary("rival", 0.9).save(Path("results/new/rival-01234567/summary.json"))
    status, card, _ = info(network, "--card", "--evaluations", "results")
    assert status == 0
    measured = card.split("## Measured\n\n")[1].split("\n\n## ")[0]
    assert measured.startswith("Two pairs at 32.\n\n|")
    titles = [line.split(" | ")[0] for line in measured.splitlines()[4:]]
    assert titles == ["| identity", "| pixels"]  # other pictures and networks stay out
    assert "0.6000" in measured.splitlines()[-1]
    save_network(PixelNetwork(), dataclasses.replace(DESCRIPTION, name="changed"), network)
    assert find_summaries(NetworkFile.read(network), Path("results")) == []


@pytest.mark.parametrize("form", [(), ("--card",), ("--json",)])
def test_nothing_that_a_file_names_is_called(
    form: tuple[str, ...], network: Path, info: Callable[..., tuple[int, str, str]]
) -> None:
    target = {"_target_": "os.mkdir", "path": "made"}
    save_network(PixelNetwork(), dataclasses.replace(DESCRIPTION, network=target), network)
    status, out, _ = info(network, *form)
    assert status == 0
    assert "os.mkdir" in out
    assert not Path("made").exists()


def test_mistakes_are_told_in_one_line(
    network: Path, info: Callable[..., tuple[int, str, str]]
) -> None:
    Path("notes.safetensors").write_text("no tensors")
    damaged = results_folder(Path("evaluations"), "pixels", network) / "summary.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    for arguments, words in (
        (("notes.safetensors",), ["notes.safetensors", "not a network file"]),
        (("missing.safetensors",), ["missing.safetensors", "does not exist"]),
        ((damaged.parent,), [str(damaged.parent), "folder"]),
        ((network, "--card"), ["summary.json", "run the evaluation again"]),
        (
            (network, "--card", "--evaluations", "nowhere"),
            ["--evaluations nowhere", "no such folder"],
        ),
    ):
        status, out, err = info(*arguments)
        assert (status, out) == (1, ""), arguments
        assert err.startswith("error: ")
        assert len(err.splitlines()) == 1, err
        assert all(word in err for word in words), err
