"""Hostile image files: every format that Pillow writes, damaged in many ways."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import tifffile
from PIL import Image

VARIANTS: list[tuple[str, str, dict[str, Any]]] = [
    *(("JPEG", mode, {"quality": 85}) for mode in ("RGB", "L", "CMYK")),
    ("JPEG", "RGB", {"progressive": True, "optimize": True}),
    ("JPEG", "RGB", {"restart_marker_rows": 1, "subsampling": 0}),
    *(("PNG", mode, {}) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")),
    *(("TIFF", mode, {}) for mode in ("RGB", "CMYK", "F", "I", "I;16", "LAB")),
    *(
        ("TIFF", "RGB", {"compression": name})
        for name in ("jpeg", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma")
    ),
    ("TIFF", "1", {"compression": "group4"}),
    ("WEBP", "RGB", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("AVIF", "RGB", {}),
]
"""Format, mode and options of files that are damaged, besides one of each format."""


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Generate an image of smooth colors with noise.

    Args:
        width: In pixels.
        height: In pixels.
        seed: Seed of the random numbers.

    Returns:
        The image in RGB.
    """
    generator = np.random.default_rng(seed)
    coarse = Image.fromarray(generator.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int64)
    noise = generator.integers(-12, 13, (height, width, 3))
    return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8))


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    return image.convert(mode)


def originals(width: int = 96, height: int = 72) -> dict[str, bytes]:
    """Encode images in every format that the installed Pillow can write.

    Args:
        width: In pixels.
        height: In pixels.

    Returns:
        Intact files by a description of their format.
    """
    Image.init()
    wanted = [*VARIANTS]
    wanted += [(name, mode, {}) for name in sorted(Image.SAVE) for mode in ("RGB", "L", "1", "P")]
    files: dict[str, bytes] = {}
    for image_format, mode, options in wanted:
        label = " ".join([image_format, mode, *(f"{key}={options[key]}" for key in options)])
        encoded = io.BytesIO()
        try:
            _in_mode(picture(width, height), mode).save(encoded, image_format, **options)
        except (OSError, ValueError, KeyError, RuntimeError, struct.error):
            continue  # the format has no such mode, or Pillow no such codec
        files[label] = encoded.getvalue()
    frames = [picture(width, height, seed) for seed in range(3)]
    for image_format in ("GIF", "WEBP", "PNG", "TIFF", "MPO"):
        encoded = io.BytesIO()
        frames[0].save(encoded, image_format, save_all=True, append_images=frames[1:])
        files[f"{image_format} of three frames"] = encoded.getvalue()
    for label, values, options in _for_tifffile(np.asarray(frames[0])):
        encoded = io.BytesIO()
        tifffile.imwrite(encoded, values, photometric="rgb", **options)
        files[label] = encoded.getvalue()
    return files


def _for_tifffile(pixels: np.ndarray) -> list[tuple[str, np.ndarray, dict[str, Any]]]:
    """Return TIFF variants that Pillow cannot decode or decodes incorrectly."""
    floats, words = (pixels / 255).astype(np.float32), pixels.astype(np.uint16) * 257
    return [
        ("TIFF float", floats, {}),
        ("TIFF float deflate", floats, {"compression": "zlib", "rowsperstrip": 8}),
        ("TIFF float tiled", floats, {"tile": (16, 16)}),
        ("TIFF planes", words.transpose(2, 0, 1), {"planarconfig": "separate"}),
    ]


def damaged(generator: np.random.Generator, files: list[bytes]) -> bytes:
    """Damage a random file one to three times.

    Args:
        generator: Source of random numbers.
        files: Intact files.

    Returns:
        The damaged file.
    """
    content = bytearray(files[generator.integers(len(files))])
    for _ in range(generator.integers(1, 4)):
        damage = DAMAGES[generator.integers(len(DAMAGES))]
        content = damage(generator, content, files)
        if not content:
            break
    return bytes(content)


def _cut(generator: np.random.Generator, content: bytearray, files: list[bytes]) -> bytearray:
    return content[: generator.integers(len(content) + 1)]


def _flip_bits(generator: np.random.Generator, content: bytearray, files: list[bytes]) -> bytearray:
    for position in generator.integers(len(content), size=2 ** generator.integers(8)):
        content[position] ^= 1 << int(generator.integers(8))
    return content


def _claim(generator: np.random.Generator, content: bytearray, files: list[bytes]) -> bytearray:
    """Write an extreme number, mostly near the start, where sizes and lengths are."""
    number = int(generator.choice([0, 1, 2**7, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]))
    kind = ["<I", ">I", "<H", ">H", "B"][generator.integers(5)]
    value = struct.pack(kind, number % 256 ** struct.calcsize(kind))
    near = min(len(content), 64 if generator.random() < 0.7 else len(content))
    position = int(generator.integers(near))
    content[position : position + len(value)] = value
    return content


def _splice(generator: np.random.Generator, content: bytearray, files: list[bytes]) -> bytearray:
    other = files[generator.integers(len(files))]
    return content[: generator.integers(len(content) + 1)] + other[generator.integers(len(other)) :]


def _repeat(generator: np.random.Generator, content: bytearray, files: list[bytes]) -> bytearray:
    """Repeat a part, up to a thousand times."""
    start = int(generator.integers(len(content)))
    part = content[start : start + int(generator.integers(1, 200))]
    return content[:start] + part * int(10 ** (3 * generator.random())) + content[start:]


def _fill(generator: np.random.Generator, content: bytearray, files: list[bytes]) -> bytearray:
    start = int(generator.integers(len(content)))
    length = int(generator.integers(1, 400))
    filling = bytes(length) if generator.random() < 0.5 else generator.bytes(length)
    content[start : start + length] = filling
    return content


def _drop(generator: np.random.Generator, content: bytearray, files: list[bytes]) -> bytearray:
    start = int(generator.integers(len(content)))
    del content[start : start + int(generator.integers(1, 300))]
    return content


DAMAGES = [_cut, _flip_bits, _flip_bits, _claim, _claim, _splice, _repeat, _fill, _drop]
