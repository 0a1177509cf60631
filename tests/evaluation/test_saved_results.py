from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from PIL import Image

from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.evaluation.metrics import METRICS, Metrics
from datnet.evaluation.protocol import Pair, every_pair
from datnet.evaluation.saved_results import find_results
from datnet.images.finding import find_images
from datnet.networks.vgg import VggEncoder
from tests.helpers.mean_difference import MeanDifference
from tests.helpers.pixel_network import write_pixel_network


@pytest.fixture
def pairs(pictures: Path) -> list[Pair]:
    return every_pair(
        *(find_images(pictures / kind)[:2] for kind in ("content", "style")),
    )


def paint(pattern: str, pairs: list[Pair], size: tuple[int, int] = (64, 48)) -> None:
    for content, style in pairs:
        path = Path(pattern.format(content=content.stem, style=style.stem))
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (int(content.stem) * 9, int(style.stem) * 9, 0)).save(path)


def test_results_are_found_by_pattern_and_in_a_folder(pairs: list[Pair], tmp_path: Path) -> None:
    pattern = f"{tmp_path}/{{style}}/{{content}}_stylized.bmp"
    paint(pattern, pairs)
    found = find_results(pattern, pairs, size=48)
    assert [path.relative_to(tmp_path).as_posix() for path in found.values()] == [
        f"{style}/{content}_stylized.bmp" for content in "01" for style in "01"
    ]
    assert list(found) == pairs

    paint(f"{tmp_path}/out/{{content}}__{{style}}.png", pairs)
    found = find_results(f"{tmp_path}/out", pairs, size=48)
    assert [path.name for path in found.values()] == [
        "0__0.png",
        "0__1.png",
        "1__0.png",
        "1__1.png",
    ]


def test_what_cannot_be_measured_is_refused(pairs: list[Pair], tmp_path: Path) -> None:
    pattern = f"{tmp_path}/{{content}}-{{style}}.png"

    def refusal(pattern: str, pairs: list[Pair], size: int = 48) -> str:
        with pytest.raises(DatNetError) as caught:
            find_results(pattern, pairs, size)
        return str(caught.value)

    paint(pattern, pairs[:2])
    assert "2 of the results of 4 pairs are missing: there is no " in refusal(pattern, pairs)
    paint(pattern, pairs)
    assert "0-0.png is 64 × 48, smaller than the 64 × 64" in refusal(pattern, pairs, 64)
    assert "nothing else in braces" in refusal(f"{tmp_path}/{{content}}.png", pairs)
    assert "nothing else in braces" in refusal(f"{pattern}{{number}}", pairs)
    (tmp_path / "1-1.png").write_bytes(b"no picture")
    assert "1-1.png" in refusal(pattern, pairs)
    elsewhere = [(Path("elsewhere") / content.name, style) for content, style in pairs[:1]]
    assert "the same result" in refusal(pattern, [*pairs[:1], *elsewhere])


def test_saved_results_measure_like_the_network_that_painted_them(
    pictures: Path,
    encoder: VggEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        Metrics,
        "pretrained",
        lambda: Metrics(lpips_alex=MeanDifference(), lpips_vgg=MeanDifference(), encoder=encoder),
    )
    monkeypatch.chdir(tmp_path)
    network = write_pixel_network(tmp_path / "network.safetensors")

    inputs = ("--content", pictures / "content", "--style", pictures / "style", "--device", "cpu")
    amount = ("--contents", "3", "--styles", "2", "--size", "48")

    def evaluate(*arguments: object) -> tuple[int, str]:
        command = ("datnet", "evaluate", *arguments, *inputs, *amount)
        monkeypatch.setattr("sys.argv", [str(argument) for argument in command])
        with pytest.raises(SystemExit) as stop:
            main()
        output = capsys.readouterr()
        return int(stop.value.code or 0), output.out or output.err

    assert " − " not in evaluate(network, "--save-images")[1], "there is nothing to compare"
    (folder,) = (tmp_path / "evaluations").glob("pixel-*")
    results = f"kept={folder / 'images'}"
    exit_code, output = evaluate(network, "--save-images", "--results", results)
    assert exit_code == 0
    (of_pictures,) = (tmp_path / "evaluations").glob("kept-*")
    rows, own = (
        list(csv.DictReader((each / "results.csv").open())) for each in (folder, of_pictures)
    )
    assert rows == own
    assert len(rows) == 6
    table = output[output.index("kept − pixel") :]
    assert len(re.findall(r"\b0\.0+ open", table)) == len(METRICS)

    # Other pictures of the same name are not taken for those that were measured.
    for path in (folder / "images").iterdir():
        Image.new("RGB", (48, 48)).save(path)
    _, output = evaluate(network, "--save-images", "--results", results)
    assert "loss" in output[output.index("kept − pixel") :]

    assert evaluate() == (
        1,
        "error: there is nothing to measure: name a network, or give --results\n",
    )
    assert "two rows would be called identity" in evaluate("--results", "identity=x")[1]
    assert "'x' is not NAME=PATTERN" in evaluate("--results", "x")[1]
