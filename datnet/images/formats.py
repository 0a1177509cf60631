"""The image formats that are read and written, and the names of their files."""

from __future__ import annotations

from typing import Any

from PIL import features

FORMATS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
}
"""Suffix of a file name (lower case) to the name of the image format in Pillow."""
if "avif" in features.get_supported():
    FORMATS[".avif"] = "AVIF"
FORMAT_NAMES = sorted(set(FORMATS.values()))

JPEG_FORMATS = ("JPEG", "MPO")

# GIF has 256 colours only, too few for a painting.
SAVING_FORMATS = {suffix: name for suffix, name in FORMATS.items() if name != "GIF"}
SAVING_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}}
