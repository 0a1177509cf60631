"""TIFF files that Pillow cannot decode or decodes incorrectly."""

from __future__ import annotations

import io
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import ImageCms

from datnet.errors import DatNetWarning
from datnet.images.errors import UnreadableImageError
from datnet.images.pictures import read_picture
from datnet.images.reading import read_image
from tests.helpers.image_files import picture, saved

BYTES = np.asarray(picture(48, 64))
WORDS = BYTES.astype(np.uint16) * 257
FLOATS = (BYTES / 255).astype(np.float32)


def tiff(values: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, **({"photometric": "rgb"} | options))
    return file.getvalue()


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (FLOATS, {}),
        (FLOATS.astype(np.float16), {}),
        (FLOATS.astype(np.float64), {}),
        (FLOATS, {"byteorder": ">"}),
        (FLOATS, {"bigtiff": True}),
        (FLOATS, {"tile": (16, 16)}),
        (FLOATS, {"compression": "zlib", "rowsperstrip": 7}),
        (FLOATS.transpose(2, 0, 1), {"planarconfig": "separate"}),
        (WORDS, {}),
        (WORDS.transpose(2, 0, 1), {"planarconfig": "separate"}),
        (WORDS.transpose(2, 0, 1), {"planarconfig": "separate", "compression": "zlib"}),
        (WORDS, {"compression": "zlib", "predictor": True}),
        (BYTES.transpose(2, 0, 1), {"planarconfig": "separate"}),
        (BYTES.astype(np.uint32) * 16843009, {}),
        (np.dstack([FLOATS, FLOATS[..., :1]]), {"extrasamples": ["unspecified"]}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else str(value.dtype),
)
def test_colors_come_out_as_they_went_in(
    tmp_path: Path, values: np.ndarray, options: dict[str, object]
) -> None:
    path = saved(tmp_path, "a.tif", tiff(values, **options))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DatNetWarning)
        image = read_image(path)
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image, dtype=int) - BYTES).max() <= 1


def test_transparency(tmp_path: Path) -> None:
    opacity = np.full((64, 48, 1), 0.5, np.float32)
    opacity[:, :24] = 1
    for kind, colors in (("unassalpha", FLOATS), ("assocalpha", FLOATS * opacity)):
        content = tiff(np.concatenate([colors, opacity], axis=2), extrasamples=[kind])
        image, _ = read_picture(saved(tmp_path, "a.tif", content))
        assert image.mode == "RGBA"
        assert np.abs(np.asarray(image, dtype=int)[..., :3] - BYTES).max() <= 1
        assert image.getchannel("A").getextrema() == (128, 255)


@pytest.mark.parametrize("values", [FLOATS[..., 0].astype(np.float64), WORDS[..., 0] / 65535])
def test_gray(tmp_path: Path, values: np.ndarray) -> None:
    for photometric, expected in (("minisblack", BYTES), ("miniswhite", 255 - BYTES)):
        image = read_image(saved(tmp_path, "a.tif", tiff(values, photometric=photometric)))
        assert np.abs(np.asarray(image, dtype=int)[..., 0] - expected[..., 0]).max() <= 1


def test_gray_with_alpha(tmp_path: Path) -> None:
    content = tiff(WORDS[..., :2].copy(), photometric="minisblack", extrasamples=["unassalpha"])
    image, _ = read_picture(saved(tmp_path, "a.tif", content))
    assert image.mode == "RGBA"
    assert np.array_equal(np.asarray(image)[..., 3], BYTES[..., 1])


def test_values_outside_are_clipped_with_a_note(tmp_path: Path) -> None:
    values = FLOATS.copy()
    values[0, 0], values[0, 1] = -0.5, 7
    path = saved(tmp_path, "bright.tif", tiff(values))
    with pytest.warns(DatNetWarning, match=r"bright\.tif has values from -0\.5 to 7; .*clipped"):
        image = read_image(path)
    assert [image.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0), (255, 255, 255)]


def test_orientation_profile_and_resolution(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = tiff(
        FLOATS,
        extratags=[(274, 3, 1, 6, True), (34675, 7, len(profile), profile, True)],
        resolution=(300, 150),
        resolutionunit="inch",
    )
    image, origin = read_picture(saved(tmp_path, "a.tif", content))
    assert image.size == (64, 48)
    assert origin.icc_profile == profile
    assert origin.dpi == (150, 300)


def test_what_cannot_be_read_is_named_for_what_it_is(tmp_path: Path) -> None:
    for values, options, reason in (
        (WORDS.astype(np.int16), {}, "signed integers"),
        (FLOATS[..., 0].astype(np.complex64), {"photometric": "minisblack"}, "complex"),
        (FLOATS, {"photometric": "cielab"}, "CIELAB"),
        (np.where(FLOATS > 0.5, np.nan, FLOATS), {}, "not finite"),
    ):
        path = saved(tmp_path, "a.tif", tiff(values, **options))
        with pytest.raises(UnreadableImageError, match=reason):
            read_image(path)


def test_compressions_that_need_another_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    content = bytearray(tiff(FLOATS, compression="zlib"))
    compression = content.index(b"\x03\x01\x03\0\x01\0\0\0") + 8  # tag 259, one SHORT
    content[compression : compression + 2] = (5).to_bytes(2, "little")
    path = saved(tmp_path, "a.tif", bytes(content))
    with pytest.raises(UnreadableImageError, match=r"32-bit.* compression LZW.*imagecodecs"):
        read_image(path)


def test_without_tifffile_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tifffile", None)
    path = saved(tmp_path, "a.tif", tiff(FLOATS))
    with pytest.raises(UnreadableImageError, match="pip install tifffile"):
        read_image(path)


def test_size_is_checked_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, "a.tif", tiff(FLOATS))

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", fail)
    with pytest.raises(UnreadableImageError, match="too large: 48 x 64"):
        read_image(path, max_pixels=48 * 64 - 1)
    path = saved(tmp_path, "wide.tif", tiff(FLOATS.astype(np.float64)))
    with pytest.raises(UnreadableImageError, match=r"too large: .* 64 bits"):
        read_image(path, max_pixels=48 * 64)
    path = saved(tmp_path, "tile.tif", tiff(FLOATS, tile=(512, 512), compression="zlib"))
    with pytest.raises(UnreadableImageError, match=r"too large"):
        read_image(path, max_pixels=48 * 64)


def test_bomb_in_a_strip_is_refused(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(10**8), 9)
    values = np.zeros((200, 200, 3), np.float32)
    values[::2] = np.random.default_rng(0).random((100, 200, 3))
    content = bytearray(tiff(values, compression="zlib", rowsperstrip=200))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        offset, size = file.pages.first.dataoffsets[0], file.pages.first.databytecounts[0]
    assert len(bomb) < size
    content[offset : offset + len(bomb)] = bomb
    path = saved(tmp_path, "a.tif", bytes(content))
    with pytest.raises(UnreadableImageError, match="a part is too large"):
        read_image(path)


def test_a_thumbnail_is_not_taken_for_a_raw_file(tmp_path: Path) -> None:
    thumbnail = tiff(BYTES)
    for name in ("photo.DNG", "photo.nef"):
        with pytest.raises(UnreadableImageError, match=r"raw files of cameras.*save it as"):
            read_image(saved(tmp_path, name, thumbnail))


def test_the_case_of_the_issue(shared: Path) -> None:
    image, _ = read_picture(shared / "cases" / "float-rgb.tif")
    assert image.size == (200, 200)
    assert image.mode == "RGB"
    assert np.asarray(image).std() > 20
