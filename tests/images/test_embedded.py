from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from datnet.data.datamodule import ContentStyleDataModule
from datnet.errors import DatNetError
from datnet.images import embedded
from datnet.images.embedded import sample_images
from datnet.images.finding import find_images
from datnet.images.reading import read_image

MANNERS = 17


def names() -> dict[str, list[str]]:
    folders = vars(sample_images())
    return {part: sorted(path.name for path in folders[part].iterdir()) for part in folders}


def subjects(part: str) -> set[str]:
    """Photographs or manners, of which there may be several details or pictures."""
    return {Path(name).stem.rsplit("-", 1)[0] for name in names()[part]}


def test_what_is_in_it() -> None:
    counts = {part: len(each) for part, each in names().items()}
    assert counts == {
        "train_content": 19,
        "train_style": 2 * MANNERS,
        "eval_content": 4,
        "eval_style": 5,
    }
    assert len(subjects("train_style")) == MANNERS
    assert len(subjects("eval_style")) == 5
    for folder in vars(sample_images()).values():
        assert len(find_images(folder)) == len(list(folder.iterdir()))


def test_pictures_of_the_evaluation_are_not_trained_on() -> None:
    assert not subjects("train_content") & subjects("eval_content")
    assert not set(names()["train_style"]) & set(names()["eval_style"])


def test_every_picture_can_be_used() -> None:
    for part, folder in vars(sample_images()).items():
        for path in folder.iterdir():
            image = read_image(path)
            if part.startswith("eval"):
                assert image.size == (512, 512), path.name
            else:
                assert 256 <= min(image.size) <= 352, path.name


def test_all_pictures_together_are_small() -> None:
    files = [path for folder in vars(sample_images()).values() for path in folder.iterdir()]
    assert sum(path.stat().st_size for path in files) <= 1_500_000


def test_every_photograph_is_credited() -> None:
    credits = (embedded.FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"version {embedded.VERSION}" in credits
    rows = [line.split("|")[1] for line in credits.splitlines() if line.startswith("|")]
    credited = {name.strip() for row in rows for name in row.split(",")}
    assert subjects("train_content") | subjects("eval_content") <= credited


def test_the_version_stands_for_these_pictures() -> None:
    """When images change, increase `embedded.VERSION`, then update this digest."""
    digest = hashlib.sha256()
    for part, folder in vars(sample_images()).items():
        for path in sorted(folder.iterdir()):
            digest.update(f"{part}/{path.name}".encode() + path.read_bytes())
    assert (embedded.VERSION, digest.hexdigest()[:16]) == (2, "41df002a382ea0cb")


def test_trainings_name_the_version(pictures: Path) -> None:
    both = ContentStyleDataModule().fingerprints()
    assert both == {"content": "sample version 2", "style": "sample version 2"}
    one = ContentStyleDataModule(content_dir=pictures / "content").fingerprints()
    assert len(one["content"]) == 16
    assert one["style"] == "sample version 2"


def test_a_broken_installation_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "FOLDER", tmp_path)
    with pytest.raises(DatNetError, match=r"train_content.*missing. Reinstall"):
        sample_images()


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATNET_CACHE", str(tmp_path / "cache"))
    with Image.open(next(sample_images().eval_content.iterdir())) as image:
        image.load()
    assert not (tmp_path / "cache").exists()
