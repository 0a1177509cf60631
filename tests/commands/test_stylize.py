"""`datnet stylize` as a user types it, with a network whose results can be predicted."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from datnet import Stylizer
from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.stylize.inputs import Inputs, find_inputs, parse_style
from datnet.stylize.jobs import plan
from datnet.stylize.options import StylizeOptions
from tests.helpers.closed_folder import close
from tests.helpers.pixel_network import write_pixel_network

ALL = ("a", "b", "more/c")
"""The photographs of the fixture ``folder``."""


@dataclass
class Outcome:
    status: int
    out: str
    err: str


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pixel_network(tmp_path_factory.mktemp("network") / "network.safetensors")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with photographs a, b, c and paintings p, q."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for name in ("photos/a", "photos/b", "photos/more/c", "paintings/p", "paintings/q"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(generator.integers(60, 200, (6, 8, 3), dtype=np.uint8))
        small.resize((64, 48), Image.Resampling.BICUBIC).save(path)
    return tmp_path


@pytest.fixture
def stylize(
    network: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    def call(*arguments: object) -> Outcome:
        command = ["datnet", "stylize", *map(str, arguments)]
        for option, value in (("--checkpoint", network), ("--device", "cpu")):
            if option not in command:
                command += [option, str(value)]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as stop:
            main()
        return Outcome(int(stop.value.code or 0), *capsys.readouterr())

    return call


def files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def write_clip(path: Path) -> Path:
    """Three frames of noise, which cannot be compressed without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(1)
    with av.open(str(path), "w") as clip:
        video = clip.add_stream("libx264", rate=25, width=64, height=48, options={"qp": "0"})
        for _ in range(3):
            noise = generator.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            clip.mux(video.encode(av.VideoFrame.from_ndarray(noise)))
        clip.mux(video.encode(None))
    return path


def frames(path: Path) -> int:
    with av.open(str(path)) as clip:
        return sum(1 for _ in clip.decode(video=0))


# --------------------------------------------------------------------------------- one result


def test_options_reach_the_stylizer(
    stylize: Callable[..., Outcome], folder: Path, network: Path
) -> None:
    stylizer = Stylizer(network, device="cpu")
    photo, p, q = "photos/a.png", "paintings/p.png", "paintings/q.png"
    Image.linear_gradient("L").save("mask.png")
    for options, settings in (
        (("--alpha", 0.4), {"alpha": 0.4}),
        (("--size", 40, "--style-size", 100), {"size": 40, "style_size": 100}),
        (("--keep-colors",), {"keep_colors": "luminance"}),
        (("--keep-colors", "histogram"), {"keep_colors": "histogram"}),
        (("--mask", "mask.png"), {"mask": "mask.png"}),
    ):
        outcome = stylize(photo, p, *options)
        assert (outcome.status, outcome.out) == (0, "wrote stylized.png\n"), outcome.err
        expected = np.asarray(stylizer(photo, p, **settings))
        assert np.array_equal(pixels("stylized.png"), expected), options
    mixtures = (
        (("--style", f"{p}:0.7", "--style", f"{q}:0.3"), {"weights": [7, 3]}),
        (("--style", p, "--style", f"{q}:3"), {"weights": [1, 3]}),
        (("--style", p, "--style", q, "--mask", "mask.png"), {"mask": "mask.png"}),
    )
    for options, settings in mixtures:
        assert stylize(photo, *options, "-o", "mixed.png").status == 0
        expected = np.asarray(stylizer(photo, [p, q], **settings))
        assert np.array_equal(pixels("mixed.png"), expected), options
    # Options may stand anywhere, and a single result is always stylized again.
    assert stylize(photo, "--alpha", 0, p, "-o", "mixed.png").status == 0
    assert np.array_equal(pixels("mixed.png"), pixels(photo))


def test_what_is_kept_of_a_file(stylize: Callable[..., Outcome], folder: Path) -> None:
    image = Image.open("photos/a.png")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save("in.png", dpi=(300, 300))
    assert stylize("in.png", "paintings/p.png", "-o", "out.tif").status == 0
    result = Image.open("out.tif")
    assert result.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert result.getchannel("A").tobytes() == image.getchannel("A").tobytes()
    assert stylize("in.png", "paintings/p.png", "-o", "out.jpg", "--quality", "60").status == 0
    assert stylize("in.png", "paintings/p.png", "-o", "good.jpg").status == 0
    assert Image.open("out.jpg").mode == "RGB"
    assert Path("out.jpg").stat().st_size < Path("good.jpg").stat().st_size


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (None, "stylized.png"),
        ("new/result.webp", "new/result.webp"),
        ("new/", "new/a__p.png"),
        ("new", "new/a__p.png"),
        ("photos", "photos/a__p.png"),
        ("out/{style}/{content}.jpg", "out/p/a.jpg"),
    ],
)
def test_names_of_one_result(
    stylize: Callable[..., Outcome], folder: Path, output: str | None, expected: str
) -> None:
    before = files(folder)
    options = () if output is None else ("-o", output)
    outcome = stylize("photos/a.png", "paintings/p.png", *options)
    assert outcome.out == f"wrote {expected}\n"
    assert set(files(folder)) - set(before) == {expected}


# ------------------------------------------------------------------------------- many results


def test_folders_patterns_and_lists(stylize: Callable[..., Outcome], folder: Path) -> None:
    for number, (names, expected) in enumerate(
        (
            (("photos", "paintings"), [f"{c}__{s}.png" for c in ALL for s in "pq"]),
            (("photos/*.png", "paintings/p.png"), ["a__p.png", "b__p.png"]),
            (("photos/**/*.png", "paintings/q.*"), ["a__q.png", "b__q.png", "more/c__q.png"]),
            ((folder / "photos/[ab].png", "paintings/p.png"), ["a__p.png", "b__p.png"]),
            (("photos/b.png", "photos/a.png", "paintings/p.png"), ["a__p.png", "b__p.png"]),
            (("photos/a.png", "photos", "paintings/p.png"), [f"{c}__p.png" for c in ALL]),
        )
    ):
        outcome = stylize(*names, "-o", f"out{number}")
        assert outcome.status == 0, outcome.err
        assert files(folder / f"out{number}") == sorted(expected)
        assert f"wrote {len(expected)} of {len(expected)} results to out{number}" in outcome.out
    assert stylize("photos/more", "paintings/p.png").status == 0  # a folder with one photograph
    assert files(folder / "stylized") == ["c__p.png"]
    mixture = ("--style", "paintings/p.png", "--style", "paintings/q.png")
    assert stylize("photos", *mixture, "-o", "{style}/{content}.jpg").status == 0
    assert files(folder / "p+q") == ["a.jpg", "b.jpg", "c.jpg"]


def test_folders_with_photographs_and_clips(stylize: Callable[..., Outcome], folder: Path) -> None:
    write_clip(folder / "photos" / "more" / "film.mov")
    for output, expected in (
        ("out", ["a__p.png", "b__p.png", "more/c__p.png", "more/film__p.mp4"]),
        ("out/{content}.jpg", ["a.jpg", "b.jpg", "c.jpg", "film.mp4"]),
        ("out/{content}.webm", ["a.png", "b.png", "c.png", "film.webm"]),
    ):
        outcome = stylize("photos", "paintings/p.png", "-o", output, "--smoothing", 0.5)
        assert outcome.status == 0, outcome.err
        assert "wrote 4 of 4 results to out" in outcome.out
        assert files(folder / "out") == expected
        assert frames(folder / "out" / expected[-1]) == 3
        again = stylize("photos", "paintings/p.png", "-o", output)
        assert again.out.startswith("nothing to do: 4 results are there already")
        shutil.rmtree(folder / "out")
    # Results among the contents are not stylized again.
    for _ in range(2):
        assert stylize("photos/more", "paintings/p.png", "-o", "photos/more").status == 0
        assert files(folder / "photos" / "more") == [
            "c.png", "c__p.png", "film.mov", "film__p.mp4"
        ]  # fmt: skip


def test_a_folder_with_clips_alone(stylize: Callable[..., Outcome], folder: Path) -> None:
    write_clip(folder / "clips" / "film.mp4")
    for crf in (0, 51):
        outcome = stylize("clips", "paintings/p.png", "-o", f"crf{crf}", "--crf", crf)
        assert outcome.status == 0, outcome.err
        assert files(folder / f"crf{crf}") == ["film__p.mp4"]
    small, large = (folder / f"crf{crf}" / "film__p.mp4" for crf in (51, 0))
    assert 2 * small.stat().st_size < large.stat().st_size
    outcome = stylize("photos/a.png", "clips", "-o", "out")
    assert outcome.status == 1
    assert "clips: there is no image" in outcome.err  # a clip is no painting


def test_batch_skips_what_exists(stylize: Callable[..., Outcome], folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "b__p.png").write_bytes(b"precious")
    outcome = stylize("photos", "paintings/p.png", "-o", "out")
    assert outcome.status == 0
    assert "wrote 2 of 3 results to out, skipped 1 that were there (--overwrite" in outcome.out
    assert (folder / "out" / "b__p.png").read_bytes() == b"precious"
    # If nothing is left to do, not even the network is looked up.
    again = stylize("photos", "paintings/p.png", "-o", "out", "--checkpoint", "nowhere")
    assert (again.status, again.err) == (0, "")
    assert again.out.startswith("nothing to do: 3 results are there already")
    outcome = stylize("photos", "paintings/p.png", "-o", "out", "--overwrite", "--alpha", 0)
    assert "wrote 3 of 3" in outcome.out
    assert np.array_equal(pixels("out/b__p.png"), pixels("photos/b.png"))


def test_batch_goes_on_after_bad_files(stylize: Callable[..., Outcome], folder: Path) -> None:
    (folder / "photos" / "0.jpg").write_bytes(b"nothing")
    Image.new("RGB", (1, 1)).save(folder / "photos" / "pixel.png")
    (folder / "paintings" / "broken.png").write_bytes(b"")
    outcome = stylize("photos", "nowhere.png", "paintings", "-o", "out")
    assert outcome.status == 1
    assert files(folder / "out") == sorted(f"{c}__{s}.png" for c in ALL for s in "pq")
    assert "wrote 6 of 18 results to out, left out 4 files" in outcome.out
    lines = outcome.err.splitlines()
    assert len(lines) == 4  # each file is told once
    for name in ("0.jpg", "pixel.png", "broken.png", "nowhere.png"):
        assert sum(name in line and line.startswith("left out ") for line in lines) == 1, name


def test_pictures_that_cannot_be_read_are_named(
    stylize: Callable[..., Outcome], folder: Path
) -> None:
    (folder / "photos" / "phone.jxl").write_bytes(b"\xff\x0a")
    (folder / "paintings" / "sketch.psd").write_bytes(b"8BPS")
    for contents, number in (("photos", 6), ("photos/*", 4)):
        outcome = stylize(contents, "paintings", "-o", "out")
        assert outcome.status == 1
        assert f"wrote {number} of {number} results to out, left out 2 files" in outcome.out
        assert outcome.err.splitlines() == [
            "left out photos/phone.jxl: pictures of this kind cannot be read; save it as JPEG or "
            "PNG",
            "left out paintings/sketch.psd: files of drawing programs cannot be read; export it as "
            "PNG",
        ]
        again = stylize(contents, "paintings", "-o", "out")
        assert (again.status, again.err) == (1, outcome.err)
        assert again.out.startswith("nothing to do")
        shutil.rmtree(folder / "out")
    outcome = stylize("photos/phone.jxl", "paintings/p.png")
    assert outcome.status == 1
    assert "phone.jxl: pictures of this kind cannot be read" in outcome.err


def test_a_closed_folder_below_is_left_out(
    stylize: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(monkeypatch, folder / "photos" / "more")
    outcome = stylize("photos", "paintings/p.png", "-o", "out")
    assert outcome.status == 1
    assert outcome.err == ("left out photos/more: the folder cannot be listed: Permission denied\n")
    assert files(folder / "out") == ["a__p.png", "b__p.png"]


def test_photographs_of_one_name(stylize: Callable[..., Outcome], folder: Path) -> None:
    for year in (2023, 2024):
        (folder / f"photos/{year}").mkdir()
        shutil.copy(folder / "photos" / "a.png", folder / f"photos/{year}/IMG_0001.png")
    outcome = stylize("photos", "paintings/p.png", "-o", "out")
    assert outcome.status == 0, outcome.err
    years = [f"{year}/IMG_0001__p.png" for year in (2023, 2024)]
    assert files(folder / "out") == [*years, *(f"{name}__p.png" for name in ALL)]
    again = stylize("photos", "paintings/p.png", "-o", "out")
    assert again.out.startswith("nothing to do: 5 results are there already")
    outcome = stylize("photos", "paintings/p.png", "-o", "r/{folder}/{content}.jpg")
    assert outcome.status == 0, outcome.err
    assert "r/2024/IMG_0001.jpg" in [f"r/{name}" for name in files(folder / "r")]


def test_a_photograph_that_is_cut_short_is_stylized_with_a_note(
    stylize: Callable[..., Outcome], folder: Path
) -> None:
    Image.open("photos/a.png").save("cut.jpg")
    whole = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) * 9 // 10])
    outcome = stylize("cut.jpg", "paintings/p.png", "-o", "result.png")
    assert outcome.status == 0, outcome.err
    assert outcome.err.startswith("note: cut.jpg is cut short: ")
    assert len(outcome.err.splitlines()) == 1
    assert Image.open("result.png").size == (64, 48)
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2 - 100])
    assert stylize("cut.jpg", "paintings/p.png", "-o", "no.png").status == 1


def test_second_run_does_not_paint_results_of_the_first(
    stylize: Callable[..., Outcome], folder: Path
) -> None:
    for output in ("photos/out", "photos/{content}_{style}.png", "photos"):
        for painting in ("p", "q") if output == "photos/out" else ("p", "p"):
            outcome = stylize("photos", f"paintings/{painting}.png", "-o", output)
            assert outcome.status == 0, outcome.err
        names = files(folder / "photos")
        assert not any(name.count("_p") + name.count("_q") > 1 for name in names), names
        for path in (folder / "photos").rglob("*_*.png"):
            path.unlink()


def test_a_pattern_inside_the_searched_folder(
    stylize: Callable[..., Outcome], folder: Path
) -> None:
    """Results have their photographs' names, in another folder."""
    for _ in range(2):
        outcome = stylize("photos", "paintings", "-o", "photos/out/{style}/{content}.png")
        assert outcome.status == 0, outcome.err
        results = files(folder / "photos" / "out" / "p")
        assert results == files(folder / "photos" / "out" / "q") == ["a.png", "b.png", "c.png"]
    # A result's name next to its photograph may be that of a photograph.
    Image.open(folder / "photos" / "a.png").convert("RGB").save(folder / "photos" / "a.jpg")
    outcome = stylize("photos", "paintings/p.png", "-o", "photos/{content}.jpg")
    assert outcome.status == 1
    assert "photos/a.jpg" in outcome.err


def test_names_that_are_too_long_are_told_in_a_line(
    stylize: Callable[..., Outcome], folder: Path
) -> None:
    for name in ("x" * 200, "y" * 200):
        Image.new("RGB", (32, 32)).save(folder / f"{name}.png")
    outcome = stylize("photos", "--style", f"{'x' * 200}.png", "--style", f"{'y' * 200}.png")
    assert outcome.status == 1
    assert outcome.err.startswith("error: ")
    assert outcome.err.endswith("File name too long\n")


def test_full_disk_ends_a_batch(
    stylize: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if written:
            with self.open("wb") as file:
                file.write(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(self)
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    outcome = stylize("photos", "paintings/p.png", "-o", "out")
    assert outcome.status == 1
    assert outcome.err == "error: out/b__p.png: cannot write this image: No space left on device\n"
    assert "wrote 1 of 3 results" in outcome.out
    assert files(folder / "out") == ["a__p.png"]


def test_ctrl_c_ends_a_batch(
    stylize: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def interrupted(self: Path, data: bytes) -> int:
        if list((folder / "out").glob("*.png")):
            write(self, data[:10])
            raise KeyboardInterrupt
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    outcome = stylize("photos", "paintings/p.png", "-o", "out")
    assert (outcome.status, outcome.err) == (130, "interrupted\n")
    assert outcome.out == "wrote 1 of 3 results to out\n"
    assert files(folder / "out") == ["a__p.png"]


def test_styles_are_encoded_once_for_contents_of_one_size(
    stylize: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    encode = Stylizer.encode_style

    def counted(self: Stylizer, painting: Path, *size: object, **sizes: object) -> object:
        encoded.append(painting)
        return encode(self, painting, *size, **sizes)

    monkeypatch.setattr(Stylizer, "encode_style", counted)
    assert stylize("photos", "paintings", "-o", "out").status == 0
    assert encoded == [Path("paintings/p.png"), Path("paintings/q.png")]
    weighted = ("--style", "paintings/p.png:2", "--style", "paintings/q.png")
    assert stylize("photos", *weighted, "-o", "mixed").status == 0
    assert len(encoded) == 4


# ------------------------------------------------------------------------------------ mistakes


def test_mistakes(stylize: Callable[..., Outcome], folder: Path) -> None:
    photo, painting, other = "photos/a.png", "paintings/p.png", "paintings/q.png"
    (folder / "empty").mkdir()
    Path("zero.png").write_bytes(b"")
    Path("text.ckpt").write_text("no network")
    Path("film.mp4").write_bytes(b"no clip")
    Image.new("RGB", (1, 1)).save("pixel.png")
    before = files(folder)
    for arguments, words in (
        (("nowhere.jpg", painting), ["nowhere.jpg", "no such file"]),
        ((photo, "nowhere.jpg"), ["nowhere.jpg", "no such file"]),
        (("zero.png", painting), ["zero.png", "empty"]),
        (("pixel.png", painting), ["pixel.png", "at least 32"]),
        ((photo, "pixel.png"), ["pixel.png", "at least 32"]),
        (("empty", painting), ["empty", "no image"]),
        ((photo, "empty"), ["empty", "no image"]),
        (("none/*.jpg", painting), ["none/*.jpg", "no image"]),
        (("x**y", painting), ["x**y", "pattern"]),
        ((photo,), [photo, "a painting"]),
        ((photo, painting, "--size", 13_000), ["180 million"]),
        ((photo, painting, "--device", "cuda:99"), ["cuda:99"]),
        ((photo, painting, "--mask", "zero.png"), ["zero.png", "empty"]),
        ((photo, painting, "--mask", "nowhere.png"), ["nowhere.png"]),
        ((photo, painting, "--quality", 90), ["stylized.png", "JPEG"]),
        ((photo, painting, "--smoothing", 0.5), ["--smoothing", "clips"]),
        ((photo, painting, "--crf", 20), ["--crf", "clips", "--quality"]),
        (("film.mp4", painting, "--crf", 52), ["crf is 52", "0 and 51"]),
        (("film.mp4", painting, "--quality", 80), ["--quality", "--crf"]),
        ((photo, painting, "-o", "result.xyz"), ["result.xyz", ".jpg"]),
        ((photo, painting, "-o", "{content}"), ["a:", ".jpg"]),
        ((photo, painting, "-o", "{name}.jpg"), ["{name}", "{content}", "{style}"]),
        ((photo, painting, "-o", "a.mp4"), ["a.mp4", photo, "video"]),
        ((photo, painting, "-o", painting), [painting, "overwritten"]),
        ((photo, painting, "-o", photo), [photo, "overwritten"]),
        (
            (photo, painting, "--mask", other, "-o", folder / "photos/../paintings/q.png"),
            ["q.png", "overwritten"],
        ),
        (("photos", painting, "-o", "one.jpg"), ["a.png", "b.png", "one.jpg", "-o out/"]),
        ((photo, "--style", f"{painting}:0", "--style", other), ["is 0", "positive"]),
        ((photo, "--style", f"{painting}:-1"), ["is -1", "positive"]),
        ((photo, "--style", f"{painting}:nan"), ["positive"]),
        ((photo, "--style", "paintings"), ["paintings", "folder"]),
        ((photo, "--style", f"{painting}:x"), ["p.png:x", "no such file"]),
        (
            (photo, "--style", f"{painting}:1", "--style", f"{other}:2", "--mask", photo),
            ["mask", "weights"],
        ),
        ((photo, painting, "--checkpoint", photo), ["a.png", "not a network file"]),
        ((photo, painting, "--checkpoint", "text.ckpt"), ["text.ckpt", "description.json"]),
        ((photo, painting, "--checkpoint", "none.safetensors"), ["none.safetensors"]),
    ):
        outcome = stylize(*arguments)
        assert outcome.status == 1, arguments
        assert outcome.err.startswith("error: "), outcome.err
        assert len(outcome.err.splitlines()) == 1, outcome.err
        assert all(word in outcome.err for word in words), outcome.err
        assert outcome.out == ""
        assert files(folder) == before, arguments


def test_mistyped_commands(stylize: Callable[..., Outcome], folder: Path) -> None:
    photo, painting = "photos/a.png", "paintings/p.png"
    for arguments, words in (
        (("--keep-colors", photo, painting), "--keep-colors=luminance"),
        ((photo, painting, "--keep-colors", "hue"), "neither luminance nor histogram"),
        ((photo, painting, "--bogus"), "unrecognized arguments: --bogus"),
        ((photo, painting, "--alpha", "strong"), "--alpha: 'strong' is not a number from 0 to 1"),
        ((), "required"),
    ):
        outcome = stylize(*arguments)
        assert outcome.status == 2
        assert words in outcome.err


def test_names_that_are_not_utf_8(
    stylize: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = os.fsdecode(b"odd\xff")
    (folder / "photos" / "a.png").rename(folder / "photos" / f"{odd}.png")
    (folder / "photos" / os.fsdecode(b"bad\xff.png")).write_bytes(b"nothing")
    outcome = stylize("photos", "paintings/p.png", "-o", "out")
    assert outcome.status == 1
    assert f"{odd}__p.png" in files(folder / "out")
    assert "left out photos/bad\\udcff.png" in outcome.err
    outcome = stylize(f"photos/{odd}.png", "paintings/p.png", "-o", f"{odd}.png")
    assert (outcome.status, outcome.out) == (0, "wrote odd\\udcff.png\n")
    assert (folder / f"{odd}.png").is_file()


def test_an_output_that_cannot_be_written_is_told_before_a_network_is_loaded(
    stylize: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "datnet.stylize.stylizer.Stylizer", lambda *_: pytest.fail("the work has begun")
    )
    (folder / "file").touch()
    (folder / "folder.png").mkdir()
    for output in ("file/result.png", f"new/{'n' * 300}.png", "/dev/null/a.png"):
        outcome = stylize("photos/a.png", "paintings/p.png", "-o", output)
        assert outcome.status == 1
        assert outcome.err.startswith(f"error: {output}: ")
        assert outcome.err.count("\n") == 1
        outcome = stylize(
            "photos",
            "paintings",
            "-o",
            f"{Path(output).parent}/{{content}}{{style}}{'n' * 300}.png",
        )
        assert outcome.status == 1
    assert not (folder / "new").exists()


def test_a_folder_of_results_that_holds_a_folder_of_a_results_name(
    stylize: Callable[..., Outcome], folder: Path
) -> None:
    (folder / "out" / "a__p.png").mkdir(parents=True)
    outcome = stylize("photos", "paintings/p.png", "-o", "out", "--overwrite")
    assert outcome.status == 1
    assert outcome.err == "error: out/a__p.png: this is a folder; name a file\n"
    assert files(folder / "out") == []


def test_a_signal_ends_a_batch_like_ctrl_c(
    stylize: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def ended(self: Path, data: bytes) -> int:
        write(self, data[:10])
        os.kill(os.getpid(), signal.SIGHUP)
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", ended)
    outcome = stylize("photos", "paintings/p.png", "-o", "out")
    assert (outcome.status, outcome.err) == (129, "ended by SIGHUP\n")
    assert files(folder / "out") == []


def test_a_clip_leaves_no_hidden_file_when_the_terminal_closes(
    stylize: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datnet.images.clips.writing import ClipWriter

    finish = ClipWriter.__exit__

    def hangup(self: ClipWriter, *error: object) -> None:
        finish(self, *error)
        assert list(folder.glob(".*.part"))
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(60)

    monkeypatch.setattr(ClipWriter, "__exit__", hangup)
    write_clip(folder / "film.mp4")
    before = sorted(folder.iterdir())
    assert stylize("film.mp4", "paintings/p.png").status == 129
    assert sorted(folder.iterdir()) == before


def test_help_has_examples_that_can_be_parsed(stylize: Callable[..., Outcome]) -> None:
    text = stylize("--help").out
    for option in ("--style", "--alpha", "--keep-colors", "--mask", "--overwrite", "{content}"):
        assert option in text
    assert text.count("    datnet stylize ") >= 9
    assert "exit status" in text


# ---------------------------------------------------------------------------------- small parts


def test_parse_style(folder: Path) -> None:
    for name in ("a:b.jpg", "c.jpg", "c.jpg:2"):
        Path(name).touch()
    for text, expected in (
        ("c.jpg", (Path("c.jpg"), None)),
        ("c.jpg:0.5", (Path("c.jpg"), 0.5)),
        ("c.jpg:2", (Path("c.jpg:2"), None)),  # a file of this very name
        ("c.jpg:2:3", (Path("c.jpg:2"), 3)),
        ("a:b.jpg", (Path("a:b.jpg"), None)),
        ("a:b.jpg:1e-1", (Path("a:b.jpg"), 0.1)),
        ("missing:b.jpg", (Path("missing:b.jpg"), None)),
    ):
        assert parse_style(text) == expected


def test_patterns_find_clips_and_no_hidden_files(folder: Path) -> None:
    for name in ("x1.mp4", "x2.JPG", "x3.txt", ".x4.jpg", "x[5].jpg"):
        (folder / name).touch()
    (folder / "x6.jpg").mkdir()
    assert find_inputs("*", clips=True).paths == [Path("x1.mp4"), Path("x2.JPG"), Path("x[5].jpg")]
    assert find_inputs("x?.*", clips=False).paths == [Path("x2.JPG")]
    assert find_inputs("x[5].jpg", clips=False) == Inputs([Path("x[5].jpg")])  # no pattern


def test_clips_get_videos(folder: Path) -> None:
    clip, gif, photo = Path("m.mov"), Path("g.gif"), Path("photos/a.png")
    style = [(Path("paintings/p.png"),)]

    def outputs(output: str | None, *contents: Path) -> list[tuple[str, bool]]:
        jobs = plan([Inputs([content]) for content in contents], style, output).jobs
        return [(str(job.output), job.is_clip) for job in jobs]

    assert outputs(None, clip) == [("stylized.mp4", True)]
    assert outputs("out.webm", clip) == [("out.webm", True)]
    assert outputs("out", clip, photo) == [("out/m__p.mp4", True), ("out/a__p.png", False)]
    assert outputs("out.png", gif) == [("out.png", False)]
    assert outputs("out.mp4", gif) == [("out.mp4", True)]
    for content, output in ((clip, "out.png"), (photo, "out.mp4"), (clip, "out.avi")):
        with pytest.raises(DatNetError, match=output):
            outputs(output, content)


def test_names_with_colons_are_no_protocols(stylize: Callable[..., Outcome], folder: Path) -> None:
    write_clip(folder / "2024-05-01T12:30.mp4")
    outcome = stylize("2024-05-01T12:30.mp4", "paintings/p.png", "-o", "at 12:30.mp4")
    assert outcome.status == 0, outcome.err
    assert frames(folder / "at 12:30.mp4") == 3


def test_clip_is_handed_over(
    stylize: Callable[..., Outcome], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datnet.stylize.clips

    calls = []

    def record(*arguments: object, **settings: object) -> str:
        calls.append((arguments[1:], settings))
        return "3 frames"

    monkeypatch.setattr(datnet.stylize.clips, "stylize_video", record)
    Path("clip.mp4").touch()
    given_options = ("--smoothing", 0.5, "--crf", 30, "--size", 40, "--keep-colors")
    mixture = ("--style", "paintings/p.png:2")
    outcome = stylize("clip.mp4", *given_options, *mixture, "-o", "out.mkv")
    assert (outcome.status, outcome.out) == (0, "wrote out.mkv: 3 frames\n")
    (given, settings) = calls[0]
    options = StylizeOptions(size=40, weights=[2.0], keep_colors="luminance")
    assert given == (Path("clip.mp4"), [Path("paintings/p.png")], Path("out.mkv"), options)
    assert settings == {"smoothing": 0.5, "crf": 30, "progress": True}
