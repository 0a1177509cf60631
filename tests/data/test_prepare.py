from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from datnet.data.conversion import prepare_image
from datnet.data.prepare import prepare
from datnet.data.sets import ImageFiles, open_images
from datnet.data.shard_writing import Settings
from datnet.data.shards import Shards
from datnet.errors import DatNetError
from datnet.images.errors import UnreadableImageError
from datnet.images.resizing import resized_crop

SMALL = Settings(short_side=64, images_per_shard=3)
NAMES = ["a/0.jpg", "a/1.png", "a/é.webp", "b/2.JPG", "b/cmyk.jpg", "gray.png", "large.jpg"]


def picture(width: int, height: int, seed: int) -> Image.Image:
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Seven pictures in several formats and folders, and files that are none."""
    folder = tmp_path / "photos"
    for seed, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image = picture(*((700, 500) if name == "large.jpg" else (80 + seed, 70)), seed)
        if "cmyk" in name:
            image = image.convert("CMYK")
        image.convert("L" if "gray" in name else image.mode).save(folder / name, quality=90)
    (folder / "a" / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes((folder / "a" / "1.png").read_bytes())
    (folder / "b" / "broken.png").write_bytes(b"no picture either")
    (folder / "b" / "empty.jpg").touch()
    return folder


def zipped(folder: Path, method: int = zipfile.ZIP_STORED) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            archive.write(file, file.relative_to(folder))
    return path


def tarred(folder: Path, kind: str = "") -> Path:
    path = folder.with_suffix(".tar")
    with tarfile.open(path, f"w:{kind}") as archive:
        for file in sorted(folder.rglob("*")):
            archive.add(file, file.relative_to(folder), recursive=False)
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    """Contents of a folder except the lock, which is empty."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != ".lock"}


def report(folder: Path) -> dict[str, tuple[str, str]]:
    with (folder / "report.csv").open(newline="") as file:
        return {row["file"]: (row["outcome"], row["reason"]) for row in csv.DictReader(file)}


def encoded(image: Image.Image, image_format: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


# -------------------------------------------------------------------------- sources and outcomes


def test_every_file_is_accounted_for(photos: Path, tmp_path: Path) -> None:
    summary = prepare([photos], tmp_path / "out", SMALL, processes=1)
    outcomes = report(tmp_path / "out")
    assert set(outcomes) == {
        *NAMES,
        *("a/notes.txt", ".hidden.png", "b/broken.png", "b/empty.jpg"),
    }
    assert {name for name, (outcome, _) in outcomes.items() if outcome == "converted"} == {
        *("a/0.jpg", "a/1.png", "a/é.webp", "b/2.JPG", "b/cmyk.jpg", "gray.png", "large.jpg"),
    }
    assert outcomes["a/notes.txt"] == ("skipped", "its name is not that of an image")
    assert outcomes[".hidden.png"] == ("skipped", "hidden")
    assert outcomes["b/empty.jpg"] == ("skipped", "the file is empty")
    assert "not an image in a known format" in outcomes["b/broken.png"][1]
    assert summary.counts == {"taken": 0, "converted": 7, "skipped": 4}
    assert sum(summary.reasons.values()) == 4
    assert len(Shards(tmp_path / "out")) == summary.images == 7


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_other_pictures_are_named_and_folders_of_the_system_are_skipped(
    photos: Path, tmp_path: Path, kind: str
) -> None:
    jpeg = (photos / "a" / "0.jpg").read_bytes()
    for name in ("b/phone.JXL", "b/camera.dng", "@eaDir/0.jpg", "b/__MACOSX/1.jpg"):
        (photos / name).parent.mkdir(exist_ok=True)
        (photos / name).write_bytes(jpeg)
    source = {
        "folder": lambda: photos,
        "zip": lambda: zipped(photos),
        "tar": lambda: tarred(photos),
    }
    summary = prepare([source[kind]()], tmp_path / "out", SMALL, processes=1)
    assert summary.images == len(NAMES)
    outcomes = report(tmp_path / "out")
    assert "save it as JPEG or PNG" in outcomes["b/phone.JXL"][1]
    assert "raw files of cameras" in outcomes["b/camera.dng"][1]
    skipped = [
        reason for name, (_, reason) in outcomes.items() if "@eaDir" in name or "__MAC" in name
    ]
    assert len(skipped) == 2
    assert {reason.partition(",")[0] for reason in skipped} == {"a system folder"}


@pytest.mark.parametrize("kind", ["stored", "deflated", "tar", "gz", "bz2", "xz"])
def test_archives_give_the_shards_of_their_folder(photos: Path, tmp_path: Path, kind: str) -> None:
    prepare([photos], tmp_path / "folder", SMALL, processes=1)
    if kind in ("stored", "deflated"):
        method = zipfile.ZIP_DEFLATED if kind == "deflated" else zipfile.ZIP_STORED
        archive = zipped(photos, method)
    else:
        archive = tarred(photos, "" if kind == "tar" else kind)
    shutil.rmtree(photos)
    prepare([archive], tmp_path / "archive", SMALL, processes=2)
    expected, got = files_of(tmp_path / "folder"), files_of(tmp_path / "archive")
    for name in ("images-00000.tar", "images-00001.tar", "images-00002.tar", "index.npy"):
        assert got[name] == expected[name]
    assert report(tmp_path / "archive") == report(tmp_path / "folder")


def test_several_sources_follow_one_another(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    picture(90, 90, 99).save(tmp_path / "more" / "0.png")
    summary = prepare([photos, tmp_path / "more"], tmp_path / "out", SMALL, processes=1)
    assert summary.images == 8
    last = np.asarray(Shards(tmp_path / "out").read(7, None)).astype(int)
    expected = np.asarray(picture(64, 64, 99).resize((64, 64))).astype(int)
    assert np.abs(last - expected).mean() < 3


def test_crops_are_those_of_the_folder(photos: Path, tmp_path: Path) -> None:
    for name in ("b/broken.png", "b/empty.jpg"):
        (photos / name).unlink()
    prepare([photos], tmp_path / "out", SMALL, processes=1)
    shards, files = open_images(tmp_path / "out"), open_images(photos)
    assert isinstance(shards, Shards)
    assert isinstance(files, ImageFiles)
    assert len(shards) == len(files) == len(NAMES)
    for index in range(len(files)):
        squares = [
            resized_crop(
                images.read(index, 80), short_side=64, crop_size=48, left=0.3, top=1, flip=True
            )
            for images in (shards, files)
        ]
        first, second = (np.asarray(square).astype(int) for square in squares)
        assert np.abs(first - second).mean() < 4, files.name(index)


def test_shards_are_ordinary_tars_in_the_layout_of_webdataset(photos: Path, tmp_path: Path) -> None:
    prepare([photos], tmp_path / "out", SMALL, processes=1)
    shards = Shards(tmp_path / "out")
    found = []
    for path in sorted((tmp_path / "out").glob("images-*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                found.append((f"{path}/{member.name}", file.read()))
    assert found == [(shards.name(i), shards.content(i)) for i in range(len(shards))]
    keys = [Path(name).stem for name, _ in found]
    assert len(set(keys)) == len(keys)
    assert all(Image.open(io.BytesIO(content)).format == "JPEG" for _, content in found)


# ------------------------------------------------------------------------------- one image


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_fitting_jpeg_is_taken_byte_for_byte(mode: str) -> None:
    content = encoded(picture(200, 64, 0).convert(mode))
    assert prepare_image(Path("a.jpg"), content, 64, 95) == (content, "taken")


def turned() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return encoded(picture(64, 60, 0), exif=exif)


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (encoded(picture(65, 130, 0)), (64, 128)),
        (encoded(picture(64, 60, 0), progressive=True), (64, 60)),
        (encoded(picture(64, 60, 0).convert("CMYK")), (64, 60)),
        (turned(), (60, 64)),
        (encoded(picture(64, 60, 0), "PNG"), (64, 60)),
        (encoded(picture(64, 60, 0), comment=b"x" * 60000), (64, 60)),
    ],
    ids=["large", "progressive", "cmyk", "turned", "png", "padded"],
)
def test_what_does_not_fit_is_converted(content: bytes, size: tuple[int, int]) -> None:
    result, outcome = prepare_image(Path("a"), content, 64, 95)
    assert outcome == "converted"
    image = Image.open(io.BytesIO(result))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", size)
    assert not image.getexif()
    assert "progressive" not in image.info
    assert prepare_image(Path("a"), result, 64, 95) == (result, "taken")


def test_quality_is_that_asked_for() -> None:
    content = encoded(picture(300, 300, 1), "PNG")
    sizes = [len(prepare_image(Path("a"), content, 200, quality).content) for quality in (30, 95)]
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize(
    ("size", "reason"), [((31, 64), "too small"), ((640, 39), "too narrow"), ((1, 9), "too small")]
)
def test_what_is_not_trained_on_is_not_prepared(size: tuple[int, int], reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason):
        prepare_image(Path("a.jpg"), encoded(Image.new("RGB", size)), 64, 95)


# ------------------------------------------------------------------------------- interruptions


@pytest.mark.slow
def test_after_a_kill_the_same_command_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    content = encoded(picture(600, 600, 0), "PNG")
    for i in range(100):
        (tmp_path / "photos" / f"{i:03}.png").write_bytes(content)
    options = ["--short-side", "256", "--images-per-shard", "4"]
    command = [sys.executable, "-m", "datnet", "data", "prepare", "photos", *options]
    with (tmp_path / "log").open("w") as log:
        killed = subprocess.Popen(
            [*command, "-o", "out", "--processes", "2"], cwd=tmp_path, stdout=log, stderr=log
        )
    done = []
    while len(done) < 2 and killed.poll() is None:
        time.sleep(0.005)
        done = sorted((tmp_path / "out" / "unfinished").glob("0*.json"))
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, (tmp_path / "log").read_text()
    assert not (tmp_path / "out" / "index.json").exists()
    with pytest.raises(DatNetError, match="preparation of these images is not finished"):
        open_images(tmp_path / "out")
    first = tmp_path / "out" / f"images-{done[0].stem}.tar"
    written = first.stat().st_mtime_ns
    (tmp_path / "out" / ".0123456789abcdef.part").write_bytes(b"of the killed one")

    settings = Settings(short_side=256, images_per_shard=4)
    prepare([tmp_path / "photos"], tmp_path / "out", settings, processes=1)
    assert first.stat().st_mtime_ns == written  # what was done is not done again
    prepare([tmp_path / "photos"], tmp_path / "whole", settings, processes=2)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "whole")
    assert len(Shards(tmp_path / "out")) == 100


def test_shard_that_lost_its_end_is_made_again(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare([photos], out, SMALL, processes=1)
    expected = files_of(out)
    unfinished = out / "unfinished"
    unfinished.mkdir()
    settings = json.loads((out / "index.json").read_text())["settings"]
    (unfinished / "settings.json").write_text(json.dumps(settings))
    (out / "index.json").unlink()
    with pytest.raises(DatNetError, match="preparation of these images is not finished"):
        open_images(out)
    shutil.copy(out / "images-00000.tar", out / "images-00001.tar")
    (unfinished / "00000.json").write_text("")  # as a power failure leaves it
    (unfinished / "00001.json").write_text('{"bytes": 1, "outcomes": []}')
    prepare([photos], out, SMALL, processes=1)
    assert files_of(out) == expected


def test_repeated_command_does_nothing(photos: Path, tmp_path: Path) -> None:
    first = prepare([photos], tmp_path / "out", SMALL, processes=1)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("i*")}
    assert prepare([photos], tmp_path / "out", SMALL, processes=1) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("i*")} == written


@pytest.mark.parametrize("lost", ["images-00001.tar", "index.npy", "index.json", "shortened"])
def test_what_was_lost_since_is_made_again(photos: Path, tmp_path: Path, lost: str) -> None:
    out = tmp_path / "out"
    prepare([photos], out, SMALL, processes=1)
    expected = files_of(out)
    if lost == "shortened":
        (out / "images-00000.tar").write_bytes(b"")
    elif lost == "index.json":
        (out / lost).write_text("")  # as a power failure leaves it
        (out / "unfinished").mkdir()
        (out / "unfinished" / "settings.json").write_text("")
    else:
        (out / lost).unlink()
    prepare([photos], out, SMALL, processes=1)
    assert files_of(out) == expected


# ------------------------------------------------------------------------------------ refusals


def test_other_settings_or_files_are_refused(photos: Path, tmp_path: Path) -> None:
    prepare([photos], tmp_path / "out", SMALL, processes=1)
    with pytest.raises(DatNetError, match="begun with other short_side, quality"):
        prepare([photos], tmp_path / "out", Settings(96, 90, 3), processes=1)
    picture(90, 90, 0).save(photos / "new.png")
    with pytest.raises(DatNetError, match="begun with other files"):
        prepare([photos], tmp_path / "out", SMALL, processes=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(short_side=31), "--short-side is 31; it must be between 32 and"),
        (Settings(quality=101), "--quality is 101"),
        (Settings(images_per_shard=0), "--images-per-shard is 0"),
    ],
)
def test_settings_that_cannot_work(photos: Path, settings: Settings, message: str) -> None:
    with pytest.raises(DatNetError, match=message):
        prepare([photos], photos.parent / "out", settings, processes=1)
    assert not (photos.parent / "out").exists()


def test_places_that_are_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DatNetError, match="is inside the source"):
        prepare([photos], photos / "shards", SMALL, processes=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(DatNetError, match="mine is not empty"):
        prepare([photos], tmp_path / "mine", SMALL, processes=1)
    own = tmp_path / "mine" / "unfinished" / "sketch.png"
    own.parent.mkdir()
    picture(64, 64, 0).save(own)
    with pytest.raises(DatNetError, match="mine is not empty"):
        prepare([photos], tmp_path / "mine", SMALL, processes=1)
    assert len(open_images(tmp_path / "mine")) == 1
    (tmp_path / "file").touch()
    with pytest.raises(DatNetError, match="cannot be written"):
        prepare([photos], tmp_path / "file" / "out", SMALL, processes=1)


def test_sources_that_are_none(photos: Path, tmp_path: Path) -> None:
    def refused(source: Path, message: str) -> None:
        with pytest.raises(DatNetError, match=message):
            prepare([source], tmp_path / "out", SMALL, processes=1)

    refused(tmp_path / "nothing", "no such folder or archive")
    refused(photos / "a" / "0.jpg", "this is neither a folder nor a readable zip or tar archive")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no image file in here")
    for archive in (zipped(photos), tarred(photos), tarred(photos, "gz")):
        content = archive.read_bytes()
        for length in (len(content) // 2, 700, 0):
            archive.write_bytes(content[:length])
            refused(archive, "etch it again")


def test_folder_without_a_usable_image(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DatNetError, match=r"no image can be used.*report\.csv says why"):
        prepare([tmp_path / "photos"], tmp_path / "out", SMALL, processes=1)
    assert report(tmp_path / "out")["a.jpg"][0] == "skipped"


# ---------------------------------------------------------------------------- hostile archives


def test_damaged_and_odd_members_are_skipped_with_a_reason(photos: Path, tmp_path: Path) -> None:
    archive = tmp_path / "odd.zip"
    good = encoded(picture(64, 64, 0))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("good.jpg", good)
        file.writestr("../../outside.jpg", good)
        file.writestr("/etc/absolute.jpg", good)
        file.writestr("__MACOSX/._good.jpg", b"resource fork")
        file.writestr("flipped.jpg", encoded(picture(64, 64, 1)))
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
    content = archive.read_bytes()
    position = content.index(encoded(picture(64, 64, 1))) + 300
    archive.write_bytes(
        content[:position] + bytes([content[position] ^ 255]) + content[position + 1 :]
    )
    prepare([archive], tmp_path / "out", SMALL, processes=1)
    outcomes = report(tmp_path / "out")
    assert outcomes["good.jpg"] == outcomes["../../outside.jpg"] == ("taken", "")
    assert outcomes["/etc/absolute.jpg"] == ("taken", "")  # nothing is written by that name
    assert outcomes["__MACOSX/._good.jpg"] == ("skipped", "hidden")
    assert outcomes["link.jpg"] == ("skipped", "a link inside an archive")
    assert "archive is damaged here: Bad CRC-32" in outcomes["flipped.jpg"][1]
    assert {path.name for path in tmp_path.iterdir()} == {"out", "odd.zip", "photos"}


def test_tar_of_links_and_devices(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "odd.tar", "w") as archive:
        for name, kind in (
            ("link.jpg", tarfile.SYMTYPE),
            ("hard.jpg", tarfile.LNKTYPE),
            ("pipe.jpg", tarfile.FIFOTYPE),
            ("device.jpg", tarfile.CHRTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        content = encoded(picture(64, 64, 0))
        member = tarfile.TarInfo("good.jpg")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    prepare([tmp_path / "odd.tar"], tmp_path / "out", SMALL, processes=1)
    outcomes = report(tmp_path / "out")
    assert outcomes.pop("good.jpg") == ("taken", "")
    assert [reason for _, reason in outcomes.values()].count("a link inside an archive") == 2
    assert [reason for _, reason in outcomes.values()].count("neither a file nor a folder") == 2


def test_monstrous_member_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datnet.data.archives.MOST_BYTES", 1000)
    (tmp_path / "photos").mkdir()
    picture(64, 64, 0).save(tmp_path / "photos" / "small.jpg", quality=5)
    (tmp_path / "photos" / "zeros.png").write_bytes(bytes(1001))
    for source in (tmp_path / "photos", zipped(tmp_path / "photos"), tarred(tmp_path / "photos")):
        out = tmp_path / f"out{source.suffix}"
        prepare([source], out, SMALL, processes=1)
        assert report(out)["zeros.png"][1].startswith("the file is too large")
        assert report(out)["small.jpg"][0] == "taken"


# ------------------------------------------------------------------------------------- command


def test_command_prints_what_became_of_the_files(photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "datnet", "data", "prepare"]
    arguments = [zipped(photos), "-o", tmp_path / "out", "--short-side", "64"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0 copied unchanged, 7 converted, 4 skipped" in done.stdout
    assert "1 skipped: hidden" in done.stdout
    assert "preparing: 100%" in done.stderr
    again = [*command, *arguments, "--quality", "50"]
    failed = subprocess.run(again, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "begun with other quality" in failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr
