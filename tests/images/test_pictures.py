"""What `datnet stylize` keeps of the files that it reads."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from datnet.errors import DatNetError
from datnet.images.errors import UnreadableImageError
from datnet.images.pictures import Origin, read_mask, read_picture, save_picture
from datnet.images.reading import read_image

# Columns: red, green, blue; rows: X, Y, Z under D50.
ADOBE_RGB = ((0.60974, 0.20528, 0.14919), (0.31111, 0.62567, 0.06322), (0.01947, 0.06087, 0.74457))
SRGB = ((0.43607, 0.38515, 0.14307), (0.22249, 0.71687, 0.06061), (0.01392, 0.09708, 0.71410))


def number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile(space: bytes, gamma: float, primaries: tuple = ()) -> bytes:
    """A color profile of version 2: a matrix, if there are primaries, and a power for a curve."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"wtpt": b"XYZ " + bytes(4) + number(0.9642) + number(1) + number(0.8249)}
    if primaries:
        for index, name in enumerate((b"r", b"g", b"b")):
            column = b"".join(number(row[index]) for row in primaries)
            tags |= {name + b"XYZ": b"XYZ " + bytes(4) + column, name + b"TRC": curve}
    else:
        tags[b"kTRC"] = curve
    return icc(space, tags)


def icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A color profile of these tags."""
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(content))
        data += content
    head = bytes(8) + b"\x02\x10\0\0mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(28)
    head += number(0.9642) + number(1) + number(0.8249) + bytes(48)
    whole = head + table + data
    return struct.pack(">I", len(whole)) + whole[4:]


WIDE = profile(b"RGB ", 563 / 256, ADOBE_RGB)


def colors(side: int = 32) -> Image.Image:
    small = np.random.default_rng(0).integers(40, 216, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.NEAREST)


def in_srgb(image: Image.Image) -> np.ndarray:
    """The same colors by the formulas, clipped to sRGB."""
    linear = (np.asarray(image) / 255) ** (563 / 256) @ np.array(ADOBE_RGB).T
    linear = (linear @ np.linalg.inv(SRGB).T).clip(0, 1)
    return 255 * np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def values(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def centres(pixels: np.ndarray) -> np.ndarray:
    """Of the squares of colours(), which a lossy format leaves as they are."""
    return pixels[4::8, 4::8]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_colour_profile_is_honoured_and_kept(tmp_path: Path, suffix: str) -> None:
    path, copy = tmp_path / f"wide{suffix}", tmp_path / f"copy{suffix}"
    lossy = suffix in (".jpg", ".webp")
    colors().save(path, icc_profile=WIDE, **({"quality": 100} if lossy else {}))
    tolerance = 8 if lossy else 1.5
    image, origin = read_picture(path)
    assert (image.mode, image.info, origin.icc_profile) == ("RGB", {}, WIDE)
    original, expected = centres(values(colors())), centres(in_srgb(colors()))
    assert np.abs(centres(values(image)) - expected).max() <= tolerance
    assert np.abs(original - expected).max() > 15  # the profile does make a difference

    save_picture(image, copy, origin, 100 if lossy else None)
    assert Image.open(copy).info["icc_profile"] == WIDE
    inside = ((expected > 1) & (expected < 254)).all(-1)  # what sRGB can hold
    assert inside.sum() > 8
    difference = np.abs(centres(values(read_image(copy))) - original)[inside]
    assert difference.max() <= (10 if lossy else 2)


def test_other_profiles(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    linear = profile(b"GRAY", 1.0)
    for mode in ("L", "LA"):
        Image.new("L", (32, 32), 55).convert(mode).save(path, icc_profile=linear)
        image, origin = read_picture(path)
        assert image.getpixel((0, 0)) == pytest.approx((128, 128, 128), abs=1)  # 0.2157 of light
        assert origin.icc_profile is None  # it cannot describe a color picture
    for damaged in (b"nothing", WIDE[:200], linear):
        colors().save(path, icc_profile=damaged)
        image, origin = read_picture(path)
        assert np.array_equal(values(image), values(colors()))
        assert origin.icc_profile is None
    colors().convert("CMYK").save(tmp_path / "a.tif", icc_profile=WIDE)
    image, origin = read_picture(tmp_path / "a.tif")
    assert np.abs(values(image) - values(colors())).max() <= 2
    assert origin.icc_profile is None


def test_a_profile_that_leads_one_way_alone_is_not_kept(tmp_path: Path) -> None:
    """A scanner's: a table from its numbers to colors, and none back."""
    samples = np.linspace(0, 65535, 2).round().astype(">u2")
    grid = np.stack(np.meshgrid(samples, samples, samples, indexing="ij"), -1)
    curves = np.array([0, 65535] * 3, ">u2").tobytes()
    table = struct.pack(">4sIBBBx9i", b"mft2", 0, 3, 3, 2, *(65536 * np.eye(3, dtype=int)).flat)
    table += struct.pack(">HH", 2, 2) + curves + (grid // 2).tobytes() + curves
    white = b"XYZ " + bytes(4) + number(0.9642) + number(1) + number(0.8249)
    path = tmp_path / "scan.tif"
    colors().save(path, icc_profile=icc(b"RGB ", {b"wtpt": white, b"A2B0": table}))
    image, origin = read_picture(path)
    assert not np.array_equal(values(image), values(colors())), "the profile counts"
    assert origin.icc_profile is None
    save_picture(image, tmp_path / "b.tif", origin)


def test_format_without_profiles_gets_srgb(tmp_path: Path) -> None:
    save_picture(colors(), tmp_path / "a.bmp", Origin(WIDE))
    assert np.array_equal(values(read_image(tmp_path / "a.bmp")), values(colors()))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_resolution_is_kept(tmp_path: Path, suffix: str) -> None:
    colors().save(tmp_path / "a.png", dpi=(300, 150))
    image, origin = read_picture(tmp_path / "a.png")
    assert origin.dpi == pytest.approx((300, 150), abs=0.1)
    save_picture(image, tmp_path / f"b{suffix}", origin)
    assert Image.open(tmp_path / f"b{suffix}").info["dpi"] == pytest.approx((300, 150), abs=0.6)


def test_resolution_turns_with_the_picture_and_other_notes_stay_behind(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "a camera"
    Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg", exif=exif, dpi=(300, 150))
    image, origin = read_picture(tmp_path / "a.jpg")
    assert image.size == (40, 60)
    assert origin.dpi == (150, 300)
    save_picture(image, tmp_path / "b.jpg", origin)
    result = Image.open(tmp_path / "b.jpg")
    assert not result.getexif()
    assert result.size == (40, 60)


@pytest.mark.parametrize("dpi", [None, 300, (0, 0), ("a", "b"), (float("nan"), 3), (1, 2, 3)])
def test_odd_resolutions_are_forgotten(dpi: object) -> None:
    from datnet.images.pictures import to_picture

    image = colors()
    image.info["dpi"] = dpi
    assert to_picture(image)[1].dpi is None


def cut_out() -> Image.Image:
    """Red, seen fully, half and not at all, in three stripes."""
    image = Image.new("RGBA", (48, 32), (200, 20, 20, 255))
    image.paste((200, 20, 20, 128), (16, 0, 32, 32))
    image.paste((7, 7, 7, 0), (32, 0, 48, 32))
    return image


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_transparency_is_kept(tmp_path: Path, suffix: str) -> None:
    lossless = {"lossless": True} if suffix == ".webp" else {}
    cut_out().save(tmp_path / f"a{suffix}", **lossless)
    image, origin = read_picture(tmp_path / f"a{suffix}")
    assert image.mode == "RGBA"
    # The half-seen color is not mixed with white, which would shine through on black.
    assert [image.getpixel((x, 9)) for x in (8, 24)] == [(200, 20, 20, 255), (200, 20, 20, 128)]
    assert image.getpixel((40, 9)) == (255, 255, 255, 0)
    save_picture(image, tmp_path / f"b{suffix}", origin)
    opacity = Image.open(tmp_path / f"b{suffix}").getchannel("A")
    assert [opacity.getpixel((x, 9)) for x in (8, 24, 40)] == [255, 128, 0]


def test_transparency_with_a_profile_and_without_a_need(tmp_path: Path) -> None:
    cut_out().save(tmp_path / "a.png", icc_profile=WIDE)
    image, origin = read_picture(tmp_path / "a.png")
    red = in_srgb(Image.new("RGB", (1, 1), (200, 20, 20)))[0, 0]
    assert image.getpixel((24, 9)) == pytest.approx((*red, 128), abs=1.5)
    save_picture(image, tmp_path / "b.png", origin)
    assert Image.open(tmp_path / "b.png").getpixel((24, 9))[3] == 128
    assert Image.open(tmp_path / "b.png").info["icc_profile"] == WIDE
    colors().convert("RGBA").save(tmp_path / "opaque.png")
    assert read_picture(tmp_path / "opaque.png")[0].mode == "RGB"


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_format_without_transparency_gets_white(tmp_path: Path, suffix: str) -> None:
    save_picture(cut_out(), tmp_path / f"a{suffix}")
    image = Image.open(tmp_path / f"a{suffix}")
    assert image.mode == "RGB"
    for x, expected in ((8, (200, 20, 20)), (24, (227, 137, 137)), (40, (255, 255, 255))):
        assert image.getpixel((x, 9)) == pytest.approx(expected, abs=6)


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4)])
def test_sixteen_bits_of_colour_become_the_upper_eight(
    tmp_path: Path, colour_type: int, channels: int
) -> None:
    levels = [0x01FF, 0x8000, 0xFEFF, 0xFFFF][:channels]

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", 32, 32, 16, colour_type, 0, 0, 0)
    row = b"\0" + struct.pack(f">{channels}H", *levels) * 32
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row * 32))
        + chunk(b"IEND", b"")
    )
    image, _ = read_picture(tmp_path / "a.png")
    assert image.mode == "RGB"
    assert image.getpixel((3, 3)) == (0x01, 0x80, 0xFE)


def test_sixteen_bits_of_gray_are_scaled(tmp_path: Path) -> None:
    gray = np.linspace(0, 65535, 256 * 4).reshape(4, 256).round().astype(np.uint16)
    Image.fromarray(gray).save(tmp_path / "a.png")
    expected = np.rint(gray / 257).astype(int)
    assert np.array_equal(values(read_picture(tmp_path / "a.png")[0])[..., 1], expected)
    assert np.array_equal(values(read_mask(tmp_path / "a.png")), expected)


def test_masks(tmp_path: Path) -> None:
    strokes = Image.new("RGBA", (4, 2), (255, 255, 255, 0))
    strokes.putpixel((1, 0), (255, 255, 255, 255))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    strokes.save(tmp_path / "a.png", exif=exif)
    mask = read_mask(tmp_path / "a.png")
    assert mask.mode == "L"
    assert values(mask).tolist() == [[0] * 4, [0, 0, 255, 0]]  # upright, transparent is black
    (tmp_path / "b.png").write_bytes(b"nothing")
    with pytest.raises(UnreadableImageError, match=r"b\.png"):
        read_mask(tmp_path / "b.png")


def test_quality(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    sizes = []
    for quality in (10, None, 100):
        save_picture(noise, tmp_path / "a.jpg", None, quality)
        sizes.append((tmp_path / "a.jpg").stat().st_size)
    assert sizes == sorted(set(sizes))
    for name, quality, words in (("a.jpg", 0, "1 and 100"), ("a.png", 90, r"a\.png: only JPEG")):
        with pytest.raises(DatNetError, match=words):
            save_picture(noise, tmp_path / name, None, quality)


def test_a_picture_in_memory_is_treated_as_its_file(tmp_path: Path) -> None:
    from datnet.images.pictures import to_picture

    data = io.BytesIO()
    cut_out().save(data, "PNG", icc_profile=WIDE, dpi=(72, 72))
    (tmp_path / "a.png").write_bytes(data.getvalue())
    opened = Image.open(data)
    image, origin = to_picture(opened)
    assert (image, origin) == read_picture(tmp_path / "a.png")
    assert opened.mode == "RGBA"
    assert "icc_profile" in opened.info  # the caller's image stays as it was
