from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics import METRICS
from datnet.evaluation.pairs import Pair, every_pair
from datnet.evaluation.saved_results import Fit, SavedResults, find_results
from datnet.images.finding import find_images
from datnet.images.tensors import read_square
from tests.helpers.evaluations import CountingEncoder
from tests.helpers.mean_difference import metrics_with
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
    assert [path.relative_to(tmp_path).as_posix() for path in found.files.values()] == [
        f"{style}/{content}_stylized.bmp" for content in "01" for style in "01"
    ]
    assert list(found.files) == pairs

    paint(f"{tmp_path}/out/{{content}}__{{style}}.png", pairs)
    found = find_results(f"{tmp_path}/out", pairs, size=48)
    assert [path.name for path in found.files.values()] == [
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


def gradient(width: int, height: int) -> Image.Image:
    """A photograph in which every place has a color of its own."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 255 - x], axis=-1).round().astype(np.uint8))


class Other:
    """Another program's picture of one photograph."""

    def __init__(self, folder: Path, photograph: Image.Image, **options: object) -> None:
        self.folder = folder
        self.photograph = folder / "photograph.png"
        photograph.save(self.photograph, **options)
        photograph.save(folder / "style.png")
        self.pair = (self.photograph, folder / "style.png")

    def results(self, image: Image.Image, size: int = 96, fit: Fit | None = None) -> SavedResults:
        image.save(self.folder / "photograph__style.png")
        return find_results(str(self.folder), [self.pair], size, fit)

    def error(self, image: Image.Image, size: int = 96, fit: Fit | None = None) -> float:
        """Mean difference in levels between what is measured and the photograph's square."""
        measured = self.results(image, size, fit).read(self.pair, size)
        return (measured - read_square(self.photograph, size)).abs().mean().item() * 255


@pytest.mark.parametrize("size", [(480, 320), (320, 480)])
def test_a_squeezed_square_is_measured_in_place_with_fit_squeeze(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    other = Other(tmp_path, gradient(*size))
    squeezed = gradient(*size).resize((256, 256))
    assert other.error(squeezed, fit="squeeze") < 0.7
    assert other.error(squeezed, fit="crop") > 5
    (note,) = other.results(squeezed).notes
    assert f"photograph__style.png: 256 × 256 of {size[0]} × {size[1]}" in note
    assert "measure with --fit squeeze" in note
    (note,) = other.results(squeezed, fit="squeeze").notes
    assert "stretched back to its aspect (--fit squeeze)" in note


def test_a_cropped_square_is_measured_in_place(tmp_path: Path) -> None:
    other = Other(tmp_path, gradient(480, 320))
    cropped = gradient(480, 320).crop((80, 0, 400, 320))
    assert other.error(cropped) < 0.7
    assert other.results(cropped).fit == "crop"
    assert other.error(cropped, fit="squeeze") > 5


@pytest.mark.parametrize("size", [(480, 320), (240, 160), (960, 640), (496, 320), (480, 336)])
def test_the_photographs_aspect_needs_no_note(tmp_path: Path, size: tuple[int, int]) -> None:
    """Other sizes of the same aspect, and sides rounded to multiples of 8 or 16, fit both ways."""
    other = Other(tmp_path, gradient(480, 320))
    picture = gradient(480, 320).resize(size)
    assert other.results(picture).notes == ()
    assert other.error(picture, fit="squeeze") < 0.7
    assert other.error(picture) < 3


def test_a_photograph_is_compared_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    other = Other(tmp_path, gradient(480, 320), exif=exif)
    assert other.results(gradient(320, 480)).notes == ()
    with pytest.raises(
        DatNetError, match=r"480 × 320 and its photograph, upright, 320 × 480.*EXIF"
    ):
        other.results(gradient(480, 320))
    assert "(--fit crop)" in other.results(gradient(480, 320), fit="crop").notes[0]


def test_a_border_is_noted_unless_the_photograph_has_it(tmp_path: Path) -> None:
    other = Other(tmp_path, gradient(480, 320))
    letterbox = Image.new("RGB", (480, 480))
    letterbox.paste(gradient(480, 320), (0, 80))
    assert "have a border of one color" in other.results(letterbox).notes[-1]
    framed = Image.new("RGB", (496, 336), "white")
    framed.paste(gradient(480, 320), (8, 8))
    assert "have a border of one color" in other.results(framed).notes[-1]
    other = Other(tmp_path, letterbox)
    assert other.results(letterbox).notes == ()
    assert other.results(Image.new("RGB", (480, 480))).notes == (), "one color is no border"


def test_small_pictures_have_small_tolerances(tmp_path: Path) -> None:
    other = Other(tmp_path, gradient(48, 36))
    assert len(other.results(gradient(36, 36), size=32).notes) == 1


def test_saved_results_measure_like_the_network_that_painted_them(
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        Metrics,
        "pretrained",
        lambda *_: metrics_with(CountingEncoder(), embedding_size=3),
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

    # Squeezed and cropped results have separate folders, and the note is printed with the table.
    for path in (folder / "images").iterdir():
        Image.new("RGB", (48, 48)).save(path)
    for fit, words in ((), "which is an assumption"), (("--fit", "squeeze"), "(--fit squeeze)"):
        assert "kept: 6 of 6 results have another aspect" in evaluate("--results", results, *fit)[1]
        assert words in (tmp_path / "evaluations" / "table.md").read_text()
    assert len(list((tmp_path / "evaluations").glob("kept-*-squeeze"))) == 1

    assert evaluate() == (
        1,
        "error: nothing to evaluate: name a network, or give --results\n",
    )
    assert "two rows would be called identity" in evaluate("--results", "identity=x")[1]
    assert "'x' is not NAME=PATTERN" in evaluate("--results", "x")[1]
