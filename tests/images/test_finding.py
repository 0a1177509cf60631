from __future__ import annotations

from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.images.finding import find_images
from datnet.images.formats import FORMATS


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
