from __future__ import annotations

from pathlib import Path

import pytest

from datnet.errors import in_words
from datnet.images.files import errors_name, write_text
from tests.helpers.full_disk import files_end_at


def test_a_full_disk_names_the_file_and_keeps_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    write_text(path, "short")
    with files_end_at(10), pytest.raises(OSError, match="too large") as error:
        write_text(path, "longer than ten bytes")
    assert in_words(error.value) == f"{path}: File too large"
    assert [each.name for each in tmp_path.iterdir()] == ["report.md"]
    assert path.read_text() == "short"


def test_a_folder_that_cannot_be_written_to_is_told_of_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 300)
    with pytest.raises(OSError, match="File name too long") as error:
        write_text(path, "text")
    assert in_words(error.value) == f"{path}: File name too long"


def test_what_another_file_is_blamed_for_stays(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error, errors_name(tmp_path / "written"):
        (tmp_path / "missing").read_bytes()
    assert error.value.filename == str(tmp_path / "missing")


def test_words_without_a_number_stay(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"^a plug was pulled$"), errors_name(tmp_path / "written"):
        raise OSError("a plug was pulled")
