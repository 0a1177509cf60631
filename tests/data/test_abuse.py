"""Hostile files: none crashes, hangs or fills the memory, and each is reported."""

from __future__ import annotations

import csv
import io
import logging
import os
import shutil
import struct
import sys
import tempfile
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datnet.data.archives import Folder, list_items
from datnet.data.conversion import prepare_image
from datnet.data.datamodule import ContentStyleDataModule
from datnet.data.pairs import PairDataset
from datnet.data.prepare import prepare
from datnet.data.sets import open_images
from datnet.data.shard_writing import Settings
from datnet.data.skipped import SkippedFiles
from datnet.data.workers import supervise
from datnet.errors import DatNetWarning
from datnet.images.errors import UnreadableImageError
from datnet.images.finding import find_image_names
from datnet.images.formats import FORMAT_NAMES
from datnet.images.reading import read_image
from datnet.images.upright import to_eight_bits
from experiments.measurements.fuzz_decoding import INPUTS_PER_JOB, fuzz
from experiments.measurements.hostile_images import originals, picture

ORIGINALS = originals(64, 48)


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


# ------------------------------------------------------------------------------------- contents


def test_there_is_something_to_abuse() -> None:
    formats = {label.split()[0] for label in ORIGINALS}
    assert set(FORMAT_NAMES) <= formats
    assert len(formats) > 20


@pytest.mark.parametrize("label", ORIGINALS)
def test_every_format_whole_and_cut_at_each_tenth(label: str) -> None:
    content = ORIGINALS[label]
    image_format = label.split()[0]
    if image_format in (*FORMAT_NAMES, "MPO"):
        assert read_image("a", content=content).size == (64, 48)
        assert prepare_image(Path("a"), content, 32, 95).outcome == "converted"
    elif image_format != "DIB":  # which is what a BMP contains
        with pytest.raises(UnreadableImageError, match="not an image in a known format"):
            read_image("a", content=content)
    for tenth in range(10):
        part = content[: len(content) * tenth // 10]
        reasons = []
        for decode in (
            lambda part=part: read_image("a", content=part),
            lambda part=part: prepare_image(Path("a"), part, 32, 95),
        ):
            try:
                decode()
            except UnreadableImageError as error:
                reasons.append(error.reason)
        assert len(reasons) in (0, 2)
        assert all(reasons)
        assert reasons or tenth > 0


def test_a_slice_of_the_fuzzing() -> None:
    """As experiments/measurements/fuzz_decoding.py does it with tens of thousands."""
    [(_, tally)] = supervise(fuzz, [(1, 0)], processes=1, seconds=60)
    assert tally.findings == []
    assert sum(tally.outcomes.values()) == INPUTS_PER_JOB
    assert tally.outcomes["decoded"] > 20
    assert tally.peak < 2**30


def claim(image_format: str, side: int) -> bytes:
    """A small file whose header claims side x side pixels."""
    if image_format == "PNG":

        def chunk(kind: bytes, data: bytes) -> bytes:
            return (
                struct.pack(">I", len(data))
                + kind
                + data
                + struct.pack(">I", zlib.crc32(kind + data))
            )

        header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
        data = zlib.compress(bytes(10**6), 9)
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data)
    content = bytearray(encoded(Image.new("RGB", (64, 64)), image_format))
    if image_format == "GIF":
        content[6:10] = struct.pack("<HH", side, side)
    elif image_format == "BMP":
        content[18:26] = struct.pack("<ii", side, side)
    elif image_format == "TIFF":
        for tag in (256, 257):
            place = content.index(struct.pack("<HH", tag, 4)) + 8
            content[place : place + 4] = struct.pack("<I", side)
    return bytes(content)


@pytest.mark.parametrize("image_format", ["PNG", "GIF", "BMP", "TIFF"])
def test_bombs_are_refused_before_they_go_off(image_format: str) -> None:
    with pytest.raises(UnreadableImageError, match="too large: 50000 x 50000"):
        read_image("a", content=claim(image_format, 50000))


def test_bomb_of_text_is_refused() -> None:
    text = zlib.compress(bytes(2 * 10**8), 9)
    kind = b"zTXt"
    data = b"Comment\0\0" + text
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    content = encoded(picture(64, 64), "PNG")
    with pytest.raises(UnreadableImageError, match="damaged: Decompressed data too large"):
        read_image("a", content=content[:33] + chunk + content[33:])


# --------------------------------------------------------------------------------------- folders


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A folder with 9 usable images, under arbitrary names, and other files."""
    folder = tmp_path / "zoo"
    (folder / "deep" / "deeper.jpg").mkdir(parents=True)  # a folder with the name of a picture
    jpeg, png = encoded(picture(70, 64), "JPEG"), encoded(picture(64, 70), "PNG")
    for name in ("plain.jpg", "deep/deeper.jpg/inside.JPEG", "new\nline.jpg", "--option.jpg"):
        (folder / name).write_bytes(jpeg)
    for name in ("really_png.jpg", "\x1b[31mred.png", "ünïcode .png", "a" * 200 + ".png"):
        (folder / name).write_bytes(png)
    Path(os.fsdecode(os.fsencode(folder) + b"/not\xffutf8.jpg")).write_bytes(jpeg)
    (folder / "empty.jpg").touch()
    (folder / "bomb.png").write_bytes(claim("PNG", 50000))
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "broken\nline.jpg").write_bytes(b"<html>404 Not Found</html>")
    (folder / "tiny.png").write_bytes(encoded(picture(31, 31), "PNG"))
    (folder / "really_jpeg.txt").write_bytes(jpeg)
    (folder / ".hidden.jpg").write_bytes(jpeg)
    (folder / "self.jpg").symlink_to("self.jpg")
    (folder / "dead.jpg").symlink_to("nowhere.jpg")
    (folder / "deep" / "up").symlink_to("..")
    os.mkfifo(folder / "pipe.jpg")
    return folder


USABLE, OF_IMAGES, ALL_FILES = 9, 14, 20


def test_every_file_of_the_zoo_is_accounted_for(zoo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary = prepare([zoo], out, Settings(64, 95, 4), processes=2)
    with (out / "report.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert len(rows) == sum(summary.counts.values()) == ALL_FILES
    assert summary.images == USABLE == len(open_images(out))
    skipped = {name: row["reason"] for name, row in rows.items() if row["outcome"] == "skipped"}
    assert all(skipped.values())
    assert {name: reason.partition(":")[0] for name, reason in skipped.items()} == {
        "empty.jpg": "the file is empty",
        "bomb.png": "the image is too large",
        "cut.jpg": "the image data is damaged",
        "broken\nline.jpg": skipped["broken\nline.jpg"],
        "tiny.png": "the image is too small",
        "really_jpeg.txt": "its name is not that of an image",
        ".hidden.jpg": "hidden",
        "self.jpg": "the link leads nowhere",
        "dead.jpg": "neither a file nor a folder, or a link that leads nowhere",
        "deep/up": "the folder is also reached in another way",
        "pipe.jpg": "neither a file nor a folder, or a link that leads nowhere",
    }
    assert "not\\udcffutf8.jpg" in rows


def test_training_goes_through_the_zoo(
    zoo: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    module = ContentStyleDataModule(
        content_dir=zoo, style_dir=zoo, short_side=64, crop_size=64, validation_pairs=20
    )
    assert module.image_counts() == {"content": OF_IMAGES, "style": OF_IMAGES}
    images = open_images(zoo)
    pairs = PairDataset(images, images, short_side=64, crop_size=64, horizontal_flip=False, seed=0)
    callback = SkippedFiles()
    log = logging.FileHandler(zoo.parent / "train.log", encoding="utf-8")
    logging.getLogger("datnet.data.skipped").addHandler(log)
    used: set[str] = set()
    for number in range(OF_IMAGES):
        pair = pairs[number]
        used.add(pair.content_path)
        callback._warn(pair)  # type: ignore[arg-type]
    log.close()
    logging.getLogger("datnet.data.skipped").removeHandler(log)
    assert len(used) == USABLE
    assert len(callback.reasons) == OF_IMAGES - USABLE
    lines = (zoo.parent / "train.log").read_text().splitlines()
    assert len(lines) == OF_IMAGES - USABLE  # one line for each, whatever its name
    assert "Traceback" not in capfd.readouterr().err


def test_folders_that_contain_each_other(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, other in ((first, second), (second, first)):
        folder.mkdir()
        (folder / "a.jpg").touch()
        for i in range(5):
            (folder / f"link{i}").symlink_to(other)
    assert find_image_names(first) == ["a.jpg", "link0/a.jpg"]


@contextmanager
def without_privileges() -> Iterator[None]:
    """The administrator may read everything; nobody may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_files_and_folders_without_permission() -> None:
    folder = Path(tempfile.mkdtemp())  # tmp_path is closed to others
    try:
        folder.chmod(0o755)
        (folder / "closed").mkdir()
        for name in ("a.jpg", "b.jpg", "closed/c.jpg"):
            (folder / name).write_bytes(encoded(picture(40, 40), "JPEG"))
        (folder / "b.jpg").chmod(0)
        (folder / "closed").chmod(0)
        source = Folder(folder)
        with without_privileges():
            items = {item.name: item for item in list_items(source)}
            assert items["closed"].reason == "the folder cannot be listed: Permission denied"
            assert source.read(items["a.jpg"]) == (folder / "a.jpg").read_bytes()
            with pytest.raises(UnreadableImageError, match="cannot be read: Permission denied"):
                source.read(items["b.jpg"])
            with pytest.raises(UnreadableImageError, match="cannot be read: Permission denied"):
                read_image(folder / "b.jpg")
            with pytest.warns(DatNetWarning, match="left out closed .*: Permission denied"):
                assert find_image_names(folder) == ["a.jpg", "b.jpg"]
    finally:
        (folder / "closed").chmod(0o755)
        shutil.rmtree(folder)


def test_tall_gray_pictures_take_no_time_for_each_row() -> None:
    """Fuzzing found this: a million rows of one pixel must not be a million steps."""
    image = Image.fromarray(np.arange(10**6, dtype=np.float32).reshape(-1, 1))
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "c_call"

    sys.setprofile(count)
    try:
        result = to_eight_bits(image)
    finally:
        sys.setprofile(None)
    assert calls < 1000
    assert np.array_equal(np.unique(np.asarray(result)), np.arange(256))


def test_sixteen_bit_and_float_pictures_take_no_eightfold_memory() -> None:
    """Eight bytes per pixel would be many GB for an allowed size."""
    content = encoded(Image.fromarray(np.ones((2000, 2000), np.float32)), "TIFF")
    tracemalloc.start()
    read_image("a", content=content)
    _, peak = tracemalloc.get_traced_memory()  # of Python and NumPy, not of Pillow
    tracemalloc.stop()
    assert peak < 2.5 * len(content)
