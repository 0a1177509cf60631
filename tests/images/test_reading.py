from __future__ import annotations

import io
import os
import pickle
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile, features

from datnet.images.errors import UnreadableImageError
from datnet.images.finding import find_images
from datnet.images.reading import read_image
from tests.helpers.image_files import encoded, picture, saved

HAS_AVIF = "avif" in features.get_supported()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png(width: int, height: int, bits: int, colour_type: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(data))
        + png_chunk(b"IEND", b"")
    )


def gray_jpeg(side: int, **options: bool) -> bytes:
    """A middle-gray JPEG of side x side pixels, written without holding its pixels.

    Each 8 x 8 block is "no change, end of block": the 6 bits 001010 of the standard Huffman tables.
    """
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 128).save(buffer, "JPEG", **options)
    small = buffer.getvalue()
    frame = small.index(b"\xff\xc2" if options else b"\xff\xc0")
    header = small[: frame + 5] + struct.pack(">HH", side, side) + small[frame + 9 :]
    if options:
        return header
    scan = header.index(b"\xff\xda")
    scan += 2 + struct.unpack(">H", header[scan + 2 : scan + 4])[0]
    blocks = (-(-side // 8)) ** 2
    return header[:scan] + b"\x28\xa2\x8a" * (-(-blocks // 4)) + b"\xff\xd9"


# ------------------------------------------------------------------------- modes and formats


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "CMYK", "RGBA", "LA", "PA"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    gray = Image.new("L", (8, 6), 255)
    gray.paste(0, (0, 0, 4, 6))
    path = saved(tmp_path, "image.tiff", encoded(gray.convert("RGB").convert(mode), "TIFF"))
    image = read_image(path)
    assert image.mode == "RGB"
    assert image.size == (8, 6)
    values = np.asarray(image)
    assert values[:, :4].max() <= 3
    assert values[:, 4:].min() >= 252


def test_cmyk_jpeg_has_the_colours_of_its_rgb_original(tmp_path: Path) -> None:
    original = Image.new("RGB", (32, 32), (200, 60, 20))
    path = saved(tmp_path, "a.jpg", encoded(original.convert("CMYK"), "JPEG", quality=95))
    assert Image.open(path).mode == "CMYK"
    assert np.asarray(read_image(path))[16, 16] == pytest.approx([200, 60, 20], abs=4)


def test_sixteen_bit_gray_is_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.array([[0, 128, 257, 32768, 65535]], dtype=np.uint16)
    path = saved(tmp_path, "a.png", encoded(Image.fromarray(values), "PNG"))
    assert Image.open(path).mode == "I;16"
    assert np.asarray(read_image(path))[0].tolist() == [[v] * 3 for v in (0, 0, 1, 128, 255)]


def test_sixteen_bit_big_endian_tiff(tmp_path: Path) -> None:
    image = Image.new("I;16B", (1, 1), 32768)
    path = saved(tmp_path, "a.tif", encoded(image, "TIFF"))
    assert Image.open(path).mode == "I;16B"
    assert read_image(path).getpixel((0, 0)) == (128, 128, 128)


@pytest.mark.parametrize(
    ("bits", "photometric", "pixels", "expected"),
    [
        (12, 1, bytes([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x00]), [0, 128, 255, 0]),
        (16, 0, struct.pack("<4H", 0, 32768, 65535, 65535), [255, 127, 0, 0]),
    ],
    ids=["12 bits", "white is 0"],
)
def test_gray_tiffs_of_other_kinds(
    tmp_path: Path, bits: int, photometric: int, pixels: bytes, expected: list[int]
) -> None:
    tags = {256: 4, 257: 1, 258: bits, 259: 1, 262: photometric, 277: 1, 278: 1, 279: len(pixels)}
    header = 8 + 2 + 12 * (len(tags) + 1) + 4
    entries = sorted((tags | {273: header}).items())
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    content = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4) + pixels
    path = saved(tmp_path, "a.tif", content)
    assert Image.open(path).mode == "I;16"
    assert np.asarray(read_image(path))[0, :, 0].tolist() == pytest.approx(expected, abs=1)


def test_sixteen_bit_rgb(tmp_path: Path) -> None:
    row = struct.pack(">6H", 65535, 32768, 0, 0, 65535, 32768)
    image = read_image(saved(tmp_path, "a.png", png(2, 1, 16, 2, b"\0" + row)))
    assert np.asarray(image)[0].tolist() == [[255, 128, 0], [0, 255, 128]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 100, 255]], np.int32), [0, 100, 255]),
        (np.array([[0, 32768, 65535]], np.int32), [0, 128, 255]),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255]),
        (np.array([[0, 500_000, 1_000_000]], np.int32), [0, 128, 255]),
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 100.0, 200.0]], np.float32), [0, 100, 200]),
        (np.array([[-1.0, 0.0, 3.0]], np.float32), [0, 64, 255]),
        (np.array([[-7.0, -7.0, -7.0]], np.float32), [0, 0, 0]),
    ],
)
def test_integer_and_float_gray_are_scaled(
    tmp_path: Path, values: np.ndarray, expected: list[int]
) -> None:
    path = saved(tmp_path, "a.tif", encoded(Image.fromarray(values), "TIFF"))
    assert Image.open(path).mode in ("I", "F")
    assert np.asarray(read_image(path))[0, :, 0].tolist() == pytest.approx(expected, abs=1)


def test_float_gray_with_nan_is_refused(tmp_path: Path) -> None:
    values = np.array([[0.0, np.nan]], np.float32)
    path = saved(tmp_path, "a.tif", encoded(Image.fromarray(values), "TIFF"))
    with pytest.raises(UnreadableImageError, match="not finite"):
        read_image(path)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_composited_over_white(tmp_path: Path, image_format: str) -> None:
    image = Image.new("RGBA", (3, 1))
    image.putdata([(200, 0, 0, 255), (200, 0, 0, 0), (0, 0, 0, 128)])
    options = {"lossless": True, "exact": True} if image_format == "WEBP" else {}
    path = saved(tmp_path, "a", encoded(image, image_format, **options))
    opaque, clear, half = np.asarray(read_image(path))[0].tolist()
    assert opaque == [200, 0, 0]
    assert clear == [255, 255, 255]
    assert half == pytest.approx([127] * 3, abs=1)


def test_gray_with_alpha_is_composited_over_white(tmp_path: Path) -> None:
    image = Image.new("LA", (2, 1))
    image.putdata([(90, 255), (90, 0)])
    path = saved(tmp_path, "a.png", encoded(image, "PNG"))
    assert Image.open(path).mode == "LA"
    assert np.asarray(read_image(path))[0, :, 1].tolist() == [90, 255]


@pytest.mark.parametrize("image_format", ["PNG", "GIF"])
def test_palette_with_a_transparent_colour(tmp_path: Path, image_format: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putdata([0, 1])
    path = saved(tmp_path, "a", encoded(image, image_format, transparency=1))
    assert Image.open(path).mode == "P"
    assert np.asarray(read_image(path))[0].tolist() == [[10, 20, 30], [255, 255, 255]]


def test_rgb_png_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("RGB", (2, 1))
    image.putdata([(1, 2, 3), (4, 5, 6)])
    path = saved(tmp_path, "a.png", encoded(image, "PNG", transparency=(4, 5, 6)))
    assert np.asarray(read_image(path))[0].tolist() == [[1, 2, 3], [255, 255, 255]]


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_an_animation(tmp_path: Path, image_format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if image_format == "WEBP" else {}
    content = encoded(frames[0], image_format, save_all=True, append_images=frames[1:], **options)
    path = saved(tmp_path, "a", content)
    assert Image.open(path).n_frames == 3
    assert read_image(path).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(tmp_path: Path, image_format: str, orientation: int) -> None:
    # How the sensor holds an upright picture, by the EXIF standard: where its first row and first
    # column lie in the upright one.
    upright = np.zeros((32, 64, 3), np.uint8)
    upright[:16, :32] = (250, 0, 0)
    upright[:16, 32:] = (0, 250, 0)
    upright[16:, :32] = (0, 0, 250)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    path = saved(tmp_path, "a", encoded(image, image_format, exif=exif))
    result = read_image(path)
    assert result.size == (64, 32)
    assert np.asarray(result)[[8, 8, 24], [16, 48, 16]] == pytest.approx(
        upright[[8, 8, 24], [16, 48, 16]], abs=60
    )
    # Nothing is left that would rotate the image again.
    assert result.getexif().get(ExifTags.Base.Orientation) is None


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"no tags at all", b"MM\x00*", b"II*\x00\xff\xff\xff\x7f"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_broken_exif_does_not_cost_the_picture(
    tmp_path: Path, image_format: str, exif: bytes
) -> None:
    red = Image.new("RGB", (16, 16), "red")
    path = saved(tmp_path, "a", encoded(red, image_format, exif=b"Exif\x00\x00" + exif))
    assert read_image(path).size == (16, 16)


@pytest.mark.skipif(not HAS_AVIF, reason="this Pillow has no AVIF")
def test_avif(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.avif", encoded(Image.new("RGB", (16, 16), (200, 20, 20)), "AVIF"))
    assert find_images(tmp_path) == [path]
    assert read_image(path).getpixel((8, 8)) == pytest.approx((200, 20, 20), abs=6)


def test_very_narrow_image_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", encoded(Image.new("RGB", (1, 5000)), "PNG"))
    assert read_image(path, at_least=512).size == (1, 5000)


# ----------------------------------------------------------------------------- unusable files


def assert_refused(path: Path, reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason) as info:
        read_image(path)
    assert info.value.path == path
    assert str(info.value) == f"{path}: {info.value.reason}"
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_truncated_file(tmp_path: Path, image_format: str) -> None:
    whole = encoded(picture(64, 64), image_format)
    assert_refused(saved(tmp_path, "a.jpg", whole[: len(whole) * 2 // 3]), "damaged|known format")


def test_no_file(tmp_path: Path) -> None:
    assert_refused(tmp_path / "nothing.jpg", "no such file")


def test_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    assert_refused(tmp_path / "folder.jpg", "folder")


def test_empty_file(tmp_path: Path) -> None:
    assert_refused(saved(tmp_path, "a.jpg", b""), "empty")


@pytest.mark.parametrize("content", [b"<html>404 Not Found</html>", b"\0" * 500])
def test_not_an_image(tmp_path: Path, content: bytes) -> None:
    assert_refused(saved(tmp_path, "a.jpg", content), "not an image in a known format")


def test_formats_that_run_other_programs_are_not_opened(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jpg", encoded(picture(40, 40), "EPS"))  # Pillow calls Ghostscript
    assert_refused(path, "not an image in a known format")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_named_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    assert_refused(tmp_path / "a.jpg", "not a regular file")


def test_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, "a.png", encoded(picture(40, 40), "PNG"))
    path.chmod(0)
    if os.access(path, os.R_OK):  # the administrator may read everything

        def refuse(*args: object, **options: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Image, "open", refuse)
    assert_refused(path, "cannot be read: Permission denied")


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RecursionError("deep"), struct.error("x"), zlib.error("y"), KeyError(3)],
)
def test_whatever_pillow_raises_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    path = saved(tmp_path, "a.png", encoded(picture(40, 40), "PNG"))

    def fail(self: ImageFile.ImageFile) -> None:
        raise error

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    assert_refused(path, "memory" if isinstance(error, MemoryError) else "damaged")


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")
def test_damaged_bytes_raise_nothing_else(tmp_path: Path, image_format: str) -> None:
    whole = encoded(picture(40, 40), image_format)
    generator = random.Random(7)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(generator.randint(1, 12)):
            # Headers are where most things can go wrong.
            damaged[generator.randrange(min(len(damaged), 200))] = generator.randrange(256)
        try:
            assert read_image(saved(tmp_path, "a", bytes(damaged))).mode == "RGB"
        except UnreadableImageError:
            refused += 1
    assert refused > 0


def test_error_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(UnreadableImageError("a/b.jpg", "it is bad")))
    assert (error.path, error.reason, str(error)) == (
        Path("a/b.jpg"),
        "it is bad",
        "a/b.jpg: it is bad",
    )


# --------------------------------------------------------------------------------- large files


def test_huge_png_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: ImageFile.ImageFile) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    path = saved(tmp_path, "bomb.png", png(30_000, 30_000, 8, 2, bytes(1_000_000)))
    assert_refused(path, r"too large: 30000 x 30000 pixels \(at most 180 million")


def test_huge_jpeg_is_decoded_at_an_eighth(tmp_path: Path) -> None:
    path = saved(tmp_path, "huge.jpg", gray_jpeg(30_000))
    assert_refused(path, "too large")
    image = read_image(path, at_least=512)
    assert image.size == (3750, 3750)
    assert image.getextrema() == ((128, 128),) * 3


def test_huge_progressive_jpeg_is_refused(tmp_path: Path) -> None:
    # Its decoder holds all coefficients of the full size, at any scale.
    path = saved(tmp_path, "huge.jpg", gray_jpeg(30_000, progressive=True))
    with pytest.raises(UnreadableImageError, match="too large: 30000 x 30000"):
        read_image(path, at_least=512)


def test_max_pixels_is_the_most_that_is_decoded(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", encoded(picture(50, 40), "PNG"))
    assert read_image(path, max_pixels=2000).size == (50, 40)
    with pytest.raises(UnreadableImageError, match="too large"):
        read_image(path, max_pixels=1999)


@pytest.mark.parametrize(("at_least", "side"), [(None, 400), (400, 400), (200, 200), (101, 200)])
def test_jpeg_is_never_decoded_smaller_than_needed(
    tmp_path: Path, at_least: int | None, side: int
) -> None:
    path = saved(tmp_path, "a.jpg", encoded(picture(600, 400), "JPEG"))
    assert min(read_image(path, at_least=at_least).size) == side


def test_pillows_own_limit_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    good = saved(tmp_path, "good.png", encoded(picture(64, 64), "PNG"))
    assert read_image(good).size == (64, 64)  # ours holds, not Pillow's
    assert Image.MAX_IMAGE_PIXELS == 1000
    assert_refused(saved(tmp_path, "bad.png", b"bad"), "known format")
    assert Image.MAX_IMAGE_PIXELS == 1000
