"""Outputs are checked before the work, which leaves no files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.images.files import check_writable, complete_or_absent, environment_path, write_text


def test_what_can_be_written_is_left_alone(tmp_path: Path) -> None:
    there = tmp_path / "there.png"
    there.write_bytes(b"precious")
    before = there.stat().st_mtime_ns
    check_writable([there, tmp_path / "new.png", tmp_path / "no" / "folder" / "yet.png"])
    assert [each.name for each in tmp_path.iterdir()] == ["there.png"]
    assert (there.read_bytes(), there.stat().st_mtime_ns) == (b"precious", before)


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path, "folder"),
        (tmp_path / "file" / "inside.png", "Not a directory"),
        (tmp_path / ("n" * 300), "name too long"),
        (tmp_path / "new" / ("n" * 300) / "a.png", "name too long"),
        (tmp_path / "pipe", "pipe"),
        (Path("/dev/null"), "device"),
    ):
        with pytest.raises(OSError, match=words) as error:
            check_writable([tmp_path / "good.png", path])
        assert error.value.filename == str(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError):
        check_writable([tmp_path / "new" / "a.png"])
    tmp_path.chmod(0o755)


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe"), complete_or_absent(tmp_path / "pipe"):
        pass
    assert (tmp_path / "pipe").is_fifo()
    assert len(list(tmp_path.iterdir())) == 1


def test_names_that_are_not_utf_8_are_escaped_in_text(tmp_path: Path) -> None:
    write_text(tmp_path / "table.md", os.fsdecode(b"odd\xff.png") + " ä")
    assert (tmp_path / "table.md").read_text("utf-8") == "odd\\udcff.png ä"


def test_variables_that_name_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATNET_CACHE", raising=False)
    assert environment_path("DATNET_CACHE") is None
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("DATNET_CACHE", "~/cache")
    assert environment_path("DATNET_CACHE") == Path("/home/somebody/cache")
    monkeypatch.setenv("DATNET_CACHE", "")
    with pytest.raises(DatNetError, match=r"\$DATNET_CACHE is empty"):
        environment_path("DATNET_CACHE")
