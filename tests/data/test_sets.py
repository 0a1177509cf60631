"""Folders of training images: skipped files are named, and folders are never confused."""

from __future__ import annotations

import warnings
from pathlib import Path

import fsspec
import pytest

from datnet.data.sets import open_images
from datnet.errors import DatNetError, DatNetWarning
from tests.helpers.closed_folder import close


def test_pictures_that_cannot_be_read_are_counted_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "b.nef", "c.nef", "d.psd", "closed/e.jpg", "@eaDir/a.jpg", "x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    close(monkeypatch, tmp_path / "closed")
    with pytest.warns(DatNetWarning) as caught:
        assert len(open_images(tmp_path)) == 1
    (message,) = [str(warning.message) for warning in caught]
    for part in (str(tmp_path), "b.nef and 1 more (raw", "d.psd (", "closed (the folder cannot"):
        assert part in message
    assert "\n" not in message


def test_the_same_of_an_address() -> None:
    memory = fsspec.filesystem("memory")
    for name in ("a.jpg", "b.nef", "@eaDir/a.jpg", ".hidden/b.jpg", "x.txt"):
        memory.pipe(f"/photos/{name}", b"")
    try:
        with pytest.warns(DatNetWarning, match=r"memory://photos: left out b\.nef \(raw"):
            images = open_images("memory://photos")
        assert [images.name(index) for index in range(len(images))] == ["memory://photos/a.jpg"]
    finally:
        memory.rm("/photos", recursive=True)


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_images("~/photos").name(0) == f"{tmp_path / 'photos'}/a.jpg"


def test_an_empty_text_is_no_folder() -> None:
    with pytest.raises(DatNetError, match="empty text"):
        open_images("")
