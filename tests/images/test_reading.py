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
import torch
from PIL import ExifTags, Image, ImageFile, features

from datnet.errors import DatNetError
from datnet.images.reading import (
    FORMATS,
    UnreadableImageError,
    UnwritableFileError,
    find_images,
    fit_square,
    read_image,
    resized_crop,
    save_image,
    to_image,
    to_tensor,
)

HAS_AVIF = "avif" in features.get_supported()


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth structure with some noise: has both low and high frequencies."""
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int64)
    noise = generator.integers(-20, 20, (height, width, 3))
    return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))


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


def encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def saved(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


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
    # Nothing is left that would turn the picture once more.
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


# ---------------------------------------------------------------------------------- find_images


def test_images_are_found_in_subfolders_in_a_fixed_order(tmp_path: Path) -> None:
    names = ["b.JPG", "a/z.png", "a/b/c.Tiff", "a.webp", "a-b/x.gif", "B.bmp", "c.jpeg", "d.jfif"]
    others = ["notes.txt", ".hidden.jpg", ".cache/x.jpg", "a/._z.png", "list.png.csv", "png"]
    for name in names + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == sorted(names)


def test_links_are_followed_and_loops_are_not(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    elsewhere.mkdir()
    folder.mkdir()
    (elsewhere / "a.png").touch()
    (elsewhere / "back").symlink_to(folder)
    (folder / "b.png").touch()
    (folder / "link").symlink_to(elsewhere)
    (folder / "self").symlink_to(folder)
    (folder / "round.png").symlink_to(folder / "round.png")
    (folder / "dead.png").symlink_to(folder / "nothing.png")
    assert find_images(folder) == [folder / "b.png", folder / "link" / "a.png"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "no such folder"),
        (lambda folder: folder.touch(), "this is a file"),
        (lambda folder: folder.mkdir(), r"no image .*\(0 other files\)"),
    ],
)
def test_no_folder_of_images(tmp_path: Path, make: object, message: str) -> None:
    make(tmp_path / "photos")  # type: ignore[operator]
    with pytest.raises(DatNetError, match=message) as info:
        find_images(tmp_path / "photos")
    assert "photos" in str(info.value)
    assert "Expected" in str(info.value)


def test_folder_with_other_files_only(tmp_path: Path) -> None:
    for name in ("a.txt", "sub/b.csv", "sub/c.psd"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DatNetError, match=r"3 other files.*\.jpg") as info:
        find_images(tmp_path)
    assert all(suffix in str(info.value) for suffix in FORMATS)


# ------------------------------------------------------------------------------------- resizing


def two_steps(
    image: Image.Image, short_side: int, crop_size: int, left: float, top: float
) -> np.ndarray:
    width, height = image.size
    scale = short_side / min(width, height)
    resized = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    x = round(left * (resized.width - crop_size))
    y = round(top * (resized.height - crop_size))
    return np.asarray(resized.crop((x, y, x + crop_size, y + crop_size)), dtype=np.int64)


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (640, 480), (64, 64), (50, 700)])
@pytest.mark.parametrize("short_side", [64, 100, 512])
@pytest.mark.parametrize(("left", "top"), [(0, 0), (1, 1), (0.37, 0.81)])
def test_resized_crop_is_resize_then_crop(
    size: tuple[int, int], short_side: int, left: float, top: float
) -> None:
    image = picture(*size)
    square = resized_crop(
        image, short_side=short_side, crop_size=64, left=left, top=top, flip=False
    )
    difference = np.abs(np.asarray(square) - two_steps(image, short_side, 64, left, top))
    assert difference.max() <= 2  # 8-bit levels; each of the two directions is rounded
    assert difference.mean() < 0.5


@pytest.mark.parametrize("size", [(1203, 997), (997, 1203), (1199, 1001)])
def test_crop_of_a_jpeg_decoded_small_lies_where_that_of_the_whole_does(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    """An eighth of 1203 pixels is 150.375: taken for 151, far crops would lie a pixel off."""
    path = tmp_path / "a.jpg"
    picture(30, 30).resize(size, Image.Resampling.BICUBIC).save(path, quality=95)
    crops = []
    for at_least in (None, 100):
        image = read_image(path, at_least=at_least)
        assert (min(image.size) < 200) == (at_least is not None)
        square = resized_crop(image, short_side=96, crop_size=64, left=1, top=1, flip=False)
        crops.append(np.asarray(square, dtype=float))
    difference = crops[0] - crops[1]
    shifted = crops[0][1:, 1:] - crops[1][:-1, :-1]
    assert np.abs(difference).mean() < 1.2
    assert np.abs(shifted).mean() > 3 * np.abs(difference).mean()


def test_resized_crop_without_resizing_copies_pixels() -> None:
    image = picture(100, 80)
    square = resized_crop(image, short_side=None, crop_size=32, left=0.5, top=1, flip=False)
    assert np.array_equal(np.asarray(square), np.asarray(image)[48:80, 34:66])


def test_resized_crop_enlarges_what_is_too_small() -> None:
    image = picture(60, 40)
    square = resized_crop(image, short_side=None, crop_size=64, left=1, top=0, flip=False)
    assert square.size == (64, 64)
    assert np.abs(np.asarray(square) - two_steps(image, 64, 64, 1, 0)).max() <= 1


def test_flip_mirrors_the_square() -> None:
    image = picture(100, 80)
    crops = [
        np.asarray(resized_crop(image, short_side=64, crop_size=48, left=0.3, top=0.6, flip=flip))
        for flip in (False, True)
    ]
    assert np.array_equal(crops[0], crops[1][:, ::-1])
    assert not np.array_equal(crops[0], crops[1])


@pytest.mark.parametrize(
    "wrong", [{"left": -0.1}, {"top": 1.1}, {"left": float("nan")}, {"short_side": 31}]
)
def test_resized_crop_refuses_what_has_no_meaning(wrong: dict[str, float]) -> None:
    arguments = {"short_side": 64, "crop_size": 32, "left": 0.5, "top": 0.5, "flip": False} | wrong
    with pytest.raises(ValueError, match="must be"):
        resized_crop(picture(50, 50), **arguments)  # type: ignore[arg-type]


def test_fit_square_keeps_the_centre() -> None:
    image = Image.new("RGB", (90, 30), "black")
    image.paste("white", (30, 0, 60, 30))
    assert np.asarray(fit_square(image, 30)).min() == 255
    assert fit_square(picture(33, 1000), 64).size == (64, 64)


# --------------------------------------------------------------------------- tensors and writing


def test_all_levels_survive_the_way_to_a_tensor_and_back() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(np.stack([values, values[::-1], values.T], axis=2))
    tensor = to_tensor(image)
    assert tensor.shape == (3, 16, 16)
    assert tensor.dtype == torch.float32
    assert (tensor.min().item(), tensor.max().item()) == (0.0, 1.0)
    assert tensor[1, 15, 3] == 3 / 255
    assert np.array_equal(np.asarray(to_image(tensor)), np.asarray(image))


def test_to_tensor_does_not_share_memory_with_the_image() -> None:
    image = Image.new("RGB", (4, 4), "white")
    to_tensor(image).zero_()
    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_to_image_clamps_and_rounds() -> None:
    values = torch.tensor([-5.0, 0.49 / 255, 0.51 / 255, 254.6 / 255, 1.5, float("inf")])
    image = to_image(values.expand(3, 1, 6).clone().requires_grad_())
    assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 255, 255, 255]


def test_to_image_takes_half_precision() -> None:
    assert to_image(torch.ones(3, 2, 2, dtype=torch.bfloat16)).getpixel((0, 0)) == (255, 255, 255)


def test_to_image_refuses_nan_and_other_shapes() -> None:
    tensor = torch.zeros(3, 4, 4)
    tensor[1, 2, 3] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        to_image(tensor)
    with pytest.raises(ValueError, match=r"\(3, H, W\)"):
        to_image(torch.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match="mode RGB"):
        to_tensor(Image.new("L", (4, 4)))


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
