from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datnet.data import sample
from datnet.data.painter import MANNERS, ink_wash
from datnet.data.sample import SampleImages, sample_images
from datnet.errors import DatNetError

# a set of few images, for tests that are not about the images, here and in other processes
SMALL = """
from datnet.data import sample
from datnet.data.painter import ink_wash
sample.TRAIN_PHOTOGRAPHS = sample.TRAIN_PHOTOGRAPHS[:1]
sample.MANNERS = (ink_wash,)
sample.EVAL_STYLES = ((ink_wash, 9),)
"""
SMALL_COUNTS = {"train_content": 5, "train_style": 3, "eval_content": 4, "eval_style": 1}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def small_set(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sample, "TRAIN_PHOTOGRAPHS", sample.TRAIN_PHOTOGRAPHS[:1])
    monkeypatch.setattr(sample, "MANNERS", (ink_wash,))
    monkeypatch.setattr(sample, "EVAL_STYLES", ((ink_wash, 9),))
    return cache


def counts(folder: Path) -> dict[str, int]:
    return {part.name: len(list(part.iterdir())) for part in sorted(folder.iterdir())}


def folders(images: SampleImages) -> dict[str, Path]:
    return {name: getattr(images, name) for name in SMALL_COUNTS}


def no_network(*_: object, **__: object) -> None:
    raise AssertionError("the embedded set must not use the network")


@pytest.mark.slow
def test_the_whole_set(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", no_network)
    images = sample_images()
    assert [child.name for child in cache.iterdir() if child.is_dir()] == [sample.FOLDER_NAME]
    names = {
        part: sorted(path.stem for path in folder.iterdir())
        for part, folder in folders(images).items()
    }
    assert len(names["train_content"]) == 30
    assert names["eval_content"] == ["chelsea", "china", "coffee", "flower"]
    assert len(names["train_style"]) == 3 * len(MANNERS)
    assert len({name.rsplit("-", 1)[0] for name in names["eval_style"]}) == 5
    assert not set(names["train_style"]) & set(names["eval_style"])

    for part, folder in folders(images).items():
        for path in folder.iterdir():
            with Image.open(path) as image:
                assert image.mode == "RGB"
                if part.startswith("eval"):
                    assert image.size == (512, 512), path.name
                else:
                    assert 256 <= min(image.size) <= 352, path.name
    original = sample._read(sample.EVAL_PHOTOGRAPHS[1]).crop((100, 0, 500, 400))
    with Image.open(images.eval_content / "coffee.jpg") as image:
        difference = np.asarray(image.resize((400, 400)), float) - np.asarray(original, float)
    assert np.abs(difference).mean() < 2


def test_no_photograph_is_in_training_and_evaluation() -> None:
    def places(photographs: tuple[sample.Photograph, ...]) -> set[tuple[str, str]]:
        return {(photograph.package, photograph.path) for photograph in photographs}

    assert not places(sample.TRAIN_PHOTOGRAPHS) & places(sample.EVAL_PHOTOGRAPHS)


def test_details_lie_within_their_photographs() -> None:
    for photograph in sample.TRAIN_PHOTOGRAPHS:
        width, height = sample._read(photograph).size
        for left, top, right, bottom in photograph.details:
            assert 0 <= left < right <= width, photograph.name
            assert 0 <= top < bottom <= height, photograph.name
            assert min(right - left, bottom - top) >= 256, photograph.name


def test_second_call_reuses_the_set(small_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sample_images()
    assert counts(small_set / sample.FOLDER_NAME) == SMALL_COUNTS
    monkeypatch.setattr(sample, "_images", no_network)
    assert sample_images() == first


def test_two_builds_give_the_same_files(
    small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sample_images()
    monkeypatch.setenv("DATNET_CACHE", str(tmp_path / "other"))
    second = sample_images()
    for name, folder in folders(first).items():
        for path in folder.iterdir():
            twin = folders(second)[name] / path.name
            assert path.read_bytes() == twin.read_bytes(), path.name


def test_leftovers_of_an_interrupted_build_do_no_harm(small_set: Path) -> None:
    leftover = small_set / "sample-v1.unfinished" / "train_style"
    leftover.mkdir(parents=True)
    (leftover / "half.jpg").write_bytes(b"\xff\xd8")
    images = sample_images()
    assert counts(small_set / sample.FOLDER_NAME) == SMALL_COUNTS
    assert not (images.train_style / "half.jpg").exists()
    assert not leftover.exists()


def test_an_error_during_the_build_leaves_no_set(
    small_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Image.Image:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sample, "_paint", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sample_images()
    assert not (small_set / sample.FOLDER_NAME).exists()
    sample_images()
    assert counts(small_set / sample.FOLDER_NAME) == SMALL_COUNTS


def start(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SMALL + script],
        env=os.environ,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not ready():
        assert process.poll() is None, "the process ended too early"
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_build_is_made_good(small_set: Path) -> None:
    sleeping = "import time\nsample._paint = lambda *_: time.sleep(600)\n"
    process = start(sleeping + "sample.sample_images()")
    wait_for(lambda: any((small_set / "sample-v1.unfinished").glob("eval_content/*")), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (small_set / sample.FOLDER_NAME).exists()
    sample_images()
    assert counts(small_set / sample.FOLDER_NAME) == SMALL_COUNTS


@pytest.mark.slow
def test_two_processes_at_once_build_one_set(cache: Path) -> None:
    # both wait for the other before they ask, so that neither finds the set complete
    script = """
import os, pathlib, time
here = pathlib.Path(os.environ["DATNET_CACHE"]).parent
(here / f"ready-{os.getpid()}").touch()
while len(list(here.glob("ready-*"))) < 2:
    time.sleep(0.01)
build = sample._build
sample._build = lambda folder: (print("built"), build(folder))
print(sample.sample_images().train_style)
"""
    processes = [start(script) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    place = str(cache / sample.FOLDER_NAME / "train_style")
    assert sorted(outputs, key=len) == [[place], ["built", place]]
    assert counts(cache / sample.FOLDER_NAME) == SMALL_COUNTS


def test_missing_photograph_is_reported(small_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, path in (("skimage", "data/no_such.png"), ("no_such_package", "a.png")):
        missing = sample.Photograph("missing", package, path)
        monkeypatch.setattr(sample, "TRAIN_PHOTOGRAPHS", (missing,))
        with pytest.raises(DatNetError, match=rf"{path}.*{package}.*Reinstall"):
            sample_images()
        assert not (small_set / sample.FOLDER_NAME).exists()


def test_unwritable_cache_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DATNET_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DatNetError, match=r"file.*DATNET_CACHE"):
        sample_images()
