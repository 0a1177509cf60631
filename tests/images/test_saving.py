from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datnet.errors import DatNetError
from datnet.images.errors import UnwritableFileError
from datnet.images.reading import read_image
from datnet.images.saving import save_image
from tests.helpers.image_files import picture


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".bmp", ".tif", ".tiff"])
def test_saved_image_reads_back_exactly(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / "folder" / f"image{suffix}"
    save_image(picture(40, 30), path)
    assert np.array_equal(np.asarray(read_image(path)), np.asarray(picture(40, 30)))
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats_are_written_well_unless_told_otherwise(tmp_path: Path, suffix: str) -> None:
    good, same, poor = (tmp_path / f"{name}{suffix}" for name in ("good", "same", "poor"))
    save_image(picture(64, 64), good)
    save_image(picture(64, 64), same, quality=95)
    save_image(picture(64, 64), poor, quality=10)
    assert good.read_bytes() == same.read_bytes()
    assert poor.stat().st_size < good.stat().st_size / 2


@pytest.mark.parametrize("name", ["image.xyz", "image", "image.gif", "image.pdf"])
def test_unknown_suffix_names_those_that_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatNetError, match=r"\.jpg.*\.png") as info:
        save_image(picture(8, 8), tmp_path / name)
    assert str(tmp_path / name) in str(info.value)


def test_failed_writing_names_the_file_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "image.png"
    save_image(picture(8, 8), path)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:14])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UnwritableFileError, match=r"image\.png: .* No space left on device"):
        save_image(picture(9, 9), path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file" / "a.png", tmp_path / "folder.png"):
        with pytest.raises(DatNetError, match="cannot write this image"):
            save_image(picture(8, 8), path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.png"]


def test_image_too_large_for_its_format(tmp_path: Path) -> None:
    with pytest.raises(DatNetError, match=r"a\.webp: cannot write this image: .*16383"):
        save_image(Image.new("RGB", (16_400, 2)), tmp_path / "a.webp")
    assert not list(tmp_path.iterdir())
