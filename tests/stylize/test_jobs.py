"""Output files: no result replaces another, and earlier results are found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.stylize import jobs
from datnet.stylize.inputs import find_inputs
from datnet.stylize.jobs import plan


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("2023/IMG_0001.jpg", "2024/IMG_0001.jpg", "2024/may/x.png", "top.jpg"):
        touch(f"photos/{name}")
    touch("s.jpg")


def touch(name: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).touch()


def outputs(contents: str, styles: str = "s.jpg", output: str = "out") -> dict[str, str]:
    """By content and style, the result."""
    planned = plan(
        [find_inputs(name, clips=True) for name in contents.split()],
        [(path,) for name in styles.split() for path in find_inputs(name, clips=False).paths],
        output,
    )
    return {
        job.content.as_posix() + (f" {job.styles[0]}" if styles != "s.jpg" else ""): (
            job.output.as_posix()
        )
        for job in planned.jobs
    }


MIRRORED = {
    "photos/2023/IMG_0001.jpg": "out/2023/IMG_0001__s.png",
    "photos/2024/IMG_0001.jpg": "out/2024/IMG_0001__s.png",
    "photos/2024/may/x.png": "out/2024/may/x__s.png",
    "photos/top.jpg": "out/top__s.png",
}


@pytest.mark.usefixtures("photos")
def test_subfolders_are_mirrored() -> None:
    assert outputs("photos") == outputs("./photos/") == MIRRORED
    assert outputs("photos/**/*.*g") == MIRRORED
    assert outputs("photos/202?/*.jpg") == {name: MIRRORED[name] for name in list(MIRRORED)[:2]}


@pytest.mark.usefixtures("photos")
def test_folder_in_a_pattern() -> None:
    by_folder = {
        name: result.replace("out/", "r/").replace("__s.png", ".jpg")
        for name, result in MIRRORED.items()
    }
    assert outputs("photos", output="r/{folder}/{content}.jpg") == by_folder
    # At the top it is empty, and no result lands at the root of the disk.
    assert outputs("photos", output="{folder}/{content}_1.jpg")["photos/top.jpg"] == "top_1.jpg"


@pytest.mark.usefixtures("photos")
def test_a_clash_is_refused_with_advice_that_works() -> None:
    for contents in ("photos", "photos/2023/IMG_0001.jpg photos/2024/IMG_0001.jpg"):
        with pytest.raises(DatNetError, match=r"same result file r/IMG_0001\.jpg") as info:
            outputs(contents, output="r/{content}.jpg")
        (pattern,) = re.findall("-o '(.*)'", str(info.value))
        assert len(set(outputs(contents, output=pattern).values())) in (2, 4)


@pytest.mark.usefixtures("photos")
def test_files_that_are_named_one_by_one() -> None:
    assert outputs("photos/2023/IMG_0001.jpg photos/2024/may/x.png") == {
        "photos/2023/IMG_0001.jpg": "out/IMG_0001__s.png",
        "photos/2024/may/x.png": "out/x__s.png",
    }
    assert outputs("photos/2023/IMG_0001.jpg photos/2024/IMG_0001.jpg") == {
        "photos/2023/IMG_0001.jpg": "out/2023_IMG_0001__s.png",
        "photos/2024/IMG_0001.jpg": "out/2024_IMG_0001__s.png",
    }


@pytest.mark.usefixtures("photos")
def test_several_folders() -> None:
    expected = {name: MIRRORED[name] for name in list(MIRRORED)[:3]}
    assert outputs("photos/2023 photos/2024/") == expected
    assert outputs("photos/2023 photos/2024 top.jpg") == expected | {"top.jpg": "out/top__s.png"}


@pytest.mark.usefixtures("photos")
def test_names_that_differ_in_the_suffix_or_in_capitals() -> None:
    for name in ("a.jpg", "a.png", "B.jpg", "b.webp"):
        touch(f"same/{name}")
    assert outputs("same") == {
        "same/B.jpg": "out/B.jpg__s.png",
        "same/a.jpg": "out/a.jpg__s.png",
        "same/a.png": "out/a.png__s.png",
        "same/b.webp": "out/b.webp__s.png",
    }
    with pytest.raises(DatNetError, match="-o out/, where names differ"):
        outputs("same", output="r/{content}.jpg")


@pytest.mark.usefixtures("photos")
def test_a_disk_that_ignores_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    touch("same/a.jpg")
    touch("same/A.jpg")
    if len(find_inputs("same", clips=True).paths) == 1:
        pytest.skip("this disk ignores capitals itself")
    assert len(set(outputs("same").values())) == 2
    monkeypatch.setattr(jobs, "folder_ignores_case", lambda folder: True)
    with pytest.raises(DatNetError, match="differ in capitals only"):
        outputs("same")


@pytest.mark.usefixtures("photos")
def test_styles_of_one_name() -> None:
    for name in ("a/monet.jpg", "b/monet.jpg", "c.jpg", "c.png"):
        touch(f"styles/{name}")
    assert list(outputs("photos/top.jpg", "styles").values()) == [
        "out/top__a_monet.png",
        "out/top__b_monet.png",
        "out/top__c.jpg.png",
        "out/top__c.png.png",
    ]
    by_style = outputs("photos/top.jpg", "styles", "r/{style}/{content}.jpg")
    assert len(set(by_style.values())) == 4
    with pytest.raises(DatNetError, match=r"add \{style\} to the pattern"):
        outputs("photos/top.jpg", "styles", "r/{content}.jpg")


@pytest.mark.usefixtures("photos")
def test_results_of_versions_that_did_not_mirror_are_found() -> None:
    touch("out/x__s.png")
    touch("out/IMG_0001__s.png")  # of which of the two nobody knows
    assert outputs("photos") == MIRRORED | {"photos/2024/may/x.png": "out/x__s.png"}
    touch("out/2024/may/x__s.png")
    assert outputs("photos") == MIRRORED


@pytest.mark.usefixtures("photos")
def test_results_below_the_contents_are_no_contents() -> None:
    first = outputs("photos", output="photos/out")
    for result in first.values():
        touch(result)
    assert outputs("photos", output="photos/out") == first
    beside = outputs("photos", output="photos/{folder}/{content}_s.png")
    for result in beside.values():
        touch(result)
    again = outputs("photos", output="photos/{folder}/{content}_s.png")
    assert {name: again[name] for name in beside} == beside
