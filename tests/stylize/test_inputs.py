"""Inputs of `datnet stylize`: files, folders, patterns and names."""

from __future__ import annotations

from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.images.folders import Found
from datnet.stylize.inputs import MOST_NAMED, describe_left_out, find_inputs
from tests.helpers.closed_folder import close


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "photos/a.jpg",
        "photos/b.psd",
        "photos/notes.txt",
        "photos/deep/c.png",
        "photos/deep/d.NEF",
        "photos/deep/@eaDir/c.png",
        "photos/.hidden/e.png",
        "photos/closed/f.png",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


def names(name: str) -> tuple[list[str], list[str]]:
    inputs = find_inputs(name, clips=True)
    paths = [path.as_posix() for path in inputs.paths]
    return paths, sorted(found.name for found in inputs.left_out)


def test_a_folder(photos: Path) -> None:
    assert names("photos") == (
        ["photos/a.jpg", "photos/closed/f.png", "photos/deep/c.png"],
        ["photos/b.psd", "photos/deep/d.NEF"],
    )


@pytest.mark.parametrize("absolute", [False, True])
def test_patterns(photos: Path, absolute: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    start = f"{photos}/" if absolute else ""

    def both(*parts: list[str]) -> tuple[list[str], ...]:
        return tuple([start + each for each in part] for part in parts)

    assert names(f"{start}photos/*.jpg") == both(["photos/a.jpg"], [])
    assert names(f"{start}photos/*") == both(["photos/a.jpg"], ["photos/b.psd"])
    assert names(f"{start}photos/*/*") == both(
        ["photos/closed/f.png", "photos/deep/c.png"], ["photos/deep/d.NEF"]
    )
    # A glob of Python passes over what it may not list without a word.
    close(monkeypatch, photos / "photos" / "closed")
    for pattern in ("photos/*/*.png", "photos/**/*.png"):
        assert names(start + pattern) == both(["photos/deep/c.png"], ["photos/closed"])


def test_a_pattern_of_what_cannot_be_read(photos: Path) -> None:
    with pytest.raises(DatNetError, match=r"\*\.psd: no image .*b\.psd: files of drawing"):
        find_inputs("photos/*.psd", clips=True)


def test_many_are_counted() -> None:
    left_out = [Found(f"{number}.heic", "HEIC", is_expected=True) for number in range(100)]
    lines = list(describe_left_out([*left_out, Found("x.psd", "a drawing", is_expected=True)]))
    assert lines[0] == "0.heic: HEIC"
    assert lines[MOST_NAMED] == f"{100 - MOST_NAMED} more: HEIC"
    assert lines[-1] == "x.psd: a drawing"
    assert len(lines) == MOST_NAMED + 2
