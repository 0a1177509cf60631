from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from datnet.errors import DatNetError, DatNetWarning
from datnet.images.errors import UnreadableImageError
from datnet.images.finding import find_image_names, find_images, list_images
from datnet.images.formats import CLIP_SUFFIXES, FORMATS
from datnet.images.reading import read_image
from tests.helpers.closed_folder import close


def test_images_are_found_in_subfolders_in_a_fixed_order(tmp_path: Path) -> None:
    names = ["b.JPG", "a/z.png", "a/b/c.Tiff", "a.webp", "a-b/x.gif", "B.bmp", "c.jpeg", "d.jfif"]
    others = ["notes.txt", ".hidden.jpg", ".cache/x.jpg", "a/._z.png", "list.png.csv", "png"]
    for name in names + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == sorted(names)


def test_links_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    elsewhere.mkdir()
    folder.mkdir()
    (elsewhere / "a.png").touch()
    (elsewhere / "back").symlink_to(folder)
    (folder / "b.png").touch()
    (folder / "link").symlink_to(elsewhere)
    (folder / "self").symlink_to(folder)
    (folder / "round.png").symlink_to(folder / "round.png")
    (folder / "dead.png").symlink_to(folder / "nothing.png")
    assert find_images(folder) == [folder / "b.png", folder / "link" / "a.png"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "no such folder"),
        (lambda folder: folder.touch(), "this is a file"),
        (lambda folder: folder.mkdir(), r"no image .*\(0 other files\)"),
    ],
)
def test_no_folder_of_images(tmp_path: Path, make: object, message: str) -> None:
    make(tmp_path / "photos")  # type: ignore[operator]
    with pytest.raises(DatNetError, match=message) as info:
        find_images(tmp_path / "photos")
    assert "photos" in str(info.value)
    assert "Expected" in str(info.value)


def test_folder_with_other_files_only(tmp_path: Path) -> None:
    for name in ("a.txt", "sub/b.csv", "sub/c.psd"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DatNetError, match=r"3 other files.*\.jpg") as info:
        find_images(tmp_path)
    assert all(suffix in str(info.value) for suffix in FORMATS)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.cr2", "raw files of cameras"),
        ("a.DNG", "raw files of cameras"),
        ("a.psd", "export it as PNG"),
        ("a.svg", "export it as PNG"),
        ("a.jxl", "save it as JPEG or PNG"),
        ("a.mp4", "this is a clip"),
    ],
)
def test_pictures_that_cannot_be_read_are_named(tmp_path: Path, name: str, reason: str) -> None:
    for each in ("b.jpg", f"sub/{name}", "notes.txt", f".{name}"):
        (tmp_path / each).parent.mkdir(exist_ok=True)
        (tmp_path / each).touch()
    names, left_out = list_images(tmp_path)
    assert names == ["b.jpg"]
    assert [(found.name, found.is_expected) for found in left_out] == [(f"sub/{name}", True)]
    assert reason in left_out[0].reason
    with pytest.warns(DatNetWarning, match=rf"{tmp_path.name}: left out sub/{name} \(.*{reason}"):
        assert find_images(tmp_path) == [tmp_path / "b.jpg"]
    (tmp_path / name).write_bytes(b"whatever it holds")
    with pytest.raises(UnreadableImageError, match=reason):
        read_image(tmp_path / name)


def test_a_folder_of_them_alone_says_so(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.cr3").touch()
    with pytest.raises(DatNetError, match=r"no image .*left out 0\.cr3 and 2 more \(raw"):
        find_images(tmp_path)


def test_clips_are_listed_where_they_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert list_images(tmp_path, CLIP_SUFFIXES) == (["a.mp4"], [])


def test_folders_of_the_system_are_skipped(tmp_path: Path) -> None:
    skipped = ("@eaDir", "__MACOSX", "#recycle", "lost+found", "$RECYCLE.BIN", ".thumbnails")
    for name in (*skipped, "kept", "kept/@eaDir"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_images(tmp_path) == [tmp_path / "kept" / "a.jpg"]
        # A folder is searched if it is named itself.
        assert find_images(tmp_path / "@eaDir") == [tmp_path / "@eaDir" / "a.jpg"]


def test_a_closed_folder_below_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.jpg", "closed/b.jpg", "open/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    close(monkeypatch, tmp_path / "closed")
    with pytest.warns(DatNetWarning, match=r"left out closed \(the folder cannot be listed: Perm"):
        assert find_image_names(tmp_path) == ["a.jpg", "open/c.jpg"]
    close(monkeypatch, tmp_path)
    with pytest.raises(DatNetError, match="cannot list this folder: Permission denied"):
        find_image_names(tmp_path)
