"""Protocols in files, and the way of their pictures to other programs and back."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.evaluation.chosen import choose_metrics
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.named_protocol import (
    NamedProtocol,
    export_pictures,
    find_pictures,
    load_protocol,
    protocol_names,
    protocol_of,
)
from datnet.evaluation.pairs import every_pair
from datnet.evaluation.saved_results import find_results
from datnet.evaluation.summary import summary_table
from datnet.images.embedded import sample_images
from datnet.images.tensors import read_square, to_image
from tests.helpers.evaluations import CountingEncoder, make_image
from tests.helpers.mean_difference import metrics_with
from tests.helpers.pixel_network import write_pixel_network


@pytest.mark.parametrize("name", protocol_names())
def test_protocols_that_come_with_datnet(name: str) -> None:
    protocol = load_protocol(name)
    assert protocol.name == name
    contents, styles = map(int, name.rpartition("-")[2].split("x"))
    assert (len(protocol.contents), len(protocol.styles)) == (contents, styles)
    assert choose_metrics(protocol.metrics).of_pairs


def test_the_embedded_pictures_are_those_of_the_sample_protocol() -> None:
    images = sample_images()
    protocol, pairs = find_pictures(
        load_protocol("sample-4x5"), images.eval_content, images.eval_style
    )
    assert len(pairs) == 20
    assert protocol.id == load_protocol("sample-4x5").id


def test_a_protocol_comes_back_from_its_file(
    contents: list[Path], styles: list[Path], tmp_path: Path
) -> None:
    uneven = every_pair(contents, styles)[1:]
    for pairs in (uneven, every_pair(contents, styles)):
        protocol = protocol_of(pairs, 48, "mine", ["ssim"])
        protocol.write(tmp_path / "mine.yaml")
        loaded = load_protocol(str(tmp_path / "mine.yaml"))
        assert loaded == protocol
        assert find_pictures(loaded, tmp_path / "content", tmp_path / "style") == (protocol, pairs)
    assert loaded.pairs is None


def test_the_hash_covers_what_decides_about_values(
    contents: list[Path], styles: list[Path]
) -> None:
    protocol = protocol_of(every_pair(contents, styles), 48, "mine", ["ssim"])

    def changed(**changes: object) -> str:
        return protocol.model_copy(update=changes).id.sha256

    same = {"name": "other", "description": "words"}
    assert changed(**same) == protocol.id.sha256
    other_picture = protocol.contents[0].model_copy(update={"sha256": "0" * 64})
    for change in (
        {"size": 64},
        {"metrics": ("ssim", "psnr")},
        {"contents": (other_picture, *protocol.contents[1:])},
        {"contents": protocol.contents[1:]},
        {"pairs": (("a.png", "x.jpg"),)},
    ):
        assert changed(**change) != protocol.id.sha256


def test_another_picture_is_refused(
    contents: list[Path], styles: list[Path], tmp_path: Path
) -> None:
    protocol = protocol_of(every_pair(contents, styles), 48, "mine")
    folders = tmp_path / "content", tmp_path / "style"
    make_image(contents[1], seed=77)
    with pytest.raises(DatNetError, match=r"b\.png is another picture than that of the protocol"):
        find_pictures(protocol, *folders)
    contents[1].unlink()
    with pytest.raises(DatNetError, match=r"0 images are called 'b\.png'"):
        find_pictures(protocol, *folders)


def test_unknown_hashes_are_filled_in(
    contents: list[Path], styles: list[Path], tmp_path: Path
) -> None:
    """Two people with other pictures of the same names do not get the same protocol."""
    protocol = protocol_of(every_pair(contents, styles), 48, "mine")
    unknown = tuple(each.model_copy(update={"sha256": None}) for each in protocol.contents)
    vague = protocol.model_copy(update={"contents": unknown})
    found, _ = find_pictures(vague, tmp_path / "content", tmp_path / "style")
    assert found.id == protocol.id != vague.id


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("size: 48", "size: 4"), "size: Input should be greater than or equal to 32"),
        (("size: 48", "side: 48"), "size: Field required"),
        (("crop: center", "crop: left"), "crop: Input should be 'center'"),
        (("name: mine", "name: [mine"), "cannot be read as a protocol"),
        (("a.png", "c.png"), "was changed"),
    ],
)
def test_damaged_files_are_named(
    change: tuple[str, str],
    message: str,
    contents: list[Path],
    styles: list[Path],
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.yaml"
    protocol_of(every_pair(contents, styles), 48, "mine").write(file)
    file.write_text(file.read_text().replace(*change))
    with pytest.raises(DatNetError, match=message) as error:
        load_protocol(str(file))
    assert "mine.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(DatNetError, match="protocols are: datnet-50x20, sample-4x5"):
        load_protocol("datnet-50x50")


def test_results_of_other_protocols_stay_apart(run) -> None:
    first = run(lambda content, style: content)
    named = {"protocol_name": "one", "protocol_sha256": "1" * 64}
    other = {"protocol_name": "two", "protocol_sha256": "2" * 64}
    rows = [
        replace(first, **named),
        replace(first, description="b", **named),
        replace(first, description="c", **other),
    ]
    assert "| b |" in summary_table(rows[:2])
    with pytest.raises(DatNetError, match="cannot stand in one table"):
        summary_table(rows)


# ------------------------------------------------------------------------ to other programs


def test_other_programs_get_the_pixels_that_networks_get_here(
    contents: list[Path], styles: list[Path], tmp_path: Path
) -> None:
    pairs = every_pair(contents, styles)
    protocol = protocol_of(pairs, 32, "mine")
    assert export_pictures(protocol, pairs, tmp_path / "out") == 5
    for path in (*contents, *styles):
        kind = path.parent.name
        exported = Image.open(tmp_path / "out" / kind / f"{path.stem}.png")
        expected = to_image(read_square(path, 32)[0])
        assert np.array_equal(np.asarray(exported), np.asarray(expected))
    own = load_protocol(str(tmp_path / "out" / "protocol.yaml"))
    found, again = find_pictures(own, tmp_path / "out" / "content", tmp_path / "out" / "style")
    assert (found.name, found.size, len(again)) == ("mine-exported", 32, 6)


def test_names_that_results_could_not_tell_apart_are_refused(tmp_path: Path) -> None:
    contents = [make_image(tmp_path / "c" / name, 1) for name in ("a.png", "a.jpg")]
    pairs = every_pair(contents, [make_image(tmp_path / "s" / "x.png", 2)])
    with pytest.raises(DatNetError, match="two pictures are called a"):
        export_pictures(protocol_of(pairs, 32), pairs, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "names",
    ["{content}_stylized_{style}.jpg", "images/{style}_{content}_cs.png"],  # AdaIN, StyTr²; AdaAttN
)
def test_published_file_names_are_found_again(
    names: str, contents: list[Path], styles: list[Path], tmp_path: Path
) -> None:
    pairs = every_pair(contents, styles)
    exported = tmp_path / "exported"
    export_pictures(protocol_of(pairs, 32), pairs, exported)
    for content in sorted((exported / "content").iterdir()):  # as those programs do
        for style in sorted((exported / "style").iterdir()):
            name = names.format(content=content.stem, style=style.stem)
            make_image(tmp_path / "their" / name, seed=ord(content.stem), width=32, height=32)
    # Squares of the middle of the photographs, so --fit crop is not an assumption.
    found = find_results(str(tmp_path / "their" / names), pairs, 32, "crop")
    assert len(found.files) == 6


def test_the_command_evaluates_by_a_protocol(
    contents: list[Path],
    styles: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        Metrics,
        "pretrained",
        lambda *_: metrics_with(CountingEncoder(), embedding_size=3),
    )
    network = write_pixel_network(tmp_path / "network.safetensors")
    protocol = protocol_of(every_pair(contents, styles), 32, "mine", ["ssim", "color_distance"])
    file = tmp_path / "mine.yaml"
    protocol.write(file)

    def evaluate(*arguments: object) -> int:
        command = ["evaluate", *arguments, "--content", tmp_path / "content"]
        command += ["--style", tmp_path / "style", "-o", tmp_path / "out"]
        monkeypatch.setattr(sys, "argv", ["datnet", *map(str, command)])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0)

    assert evaluate(network, "--protocol", file, "--device", "cpu") == 0
    (summary,) = (tmp_path / "out").glob("pixel-*/summary.json")
    record = json.loads(summary.read_text())
    assert record["protocol_name"] == "mine"
    assert record["protocol_sha256"] == protocol.id.sha256
    assert set(record["metrics"]) == {"ssim", "color_distance"}
    assert f"Protocol mine, SHA-256 {protocol.id.sha256[:12]}…" in (
        tmp_path / "out" / "table.md"
    ).read_text(encoding="utf-8")
    assert load_protocol(str(tmp_path / "out" / "protocol.yaml")) == protocol

    capsys.readouterr()
    assert evaluate(network, "--protocol", file, "--size", 64, "--metrics", "psnr") == 1
    assert "leave out --size, --metrics" in capsys.readouterr().err
    assert evaluate("--protocol", file, "--export-pictures", tmp_path / "exported") == 0
    assert len(list((tmp_path / "exported" / "content").iterdir())) == 3


def test_extra_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        NamedProtocol.model_validate(
            {"name": "a", "size": 64, "contents": [{"name": "x"}], "styles": [{"name": "y"}],
             "colour": 1}
        )  # fmt: skip
