"""Image formats that are read and written, and their file suffixes."""

from __future__ import annotations

from contextlib import suppress
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
"""File suffix (lower case) to Pillow's name of the format."""
HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})

if "avif" in features.get_supported():
    FORMATS[".avif"] = "AVIF"
with suppress(ImportError):  # an optional dependency
    import pillow_heif

    # The picture alone: no thumbnail, depth map or gain map. libheif makes it upright itself.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    FORMATS |= dict.fromkeys(sorted(HEIC_SUFFIXES), "HEIF")
FORMAT_NAMES = sorted(set(FORMATS.values()))

JPEG_FORMATS = ("JPEG", "MPO")

# GIF has only 256 colors, too few for a painting; few programs outside Apple's read HEIF.
SAVING_FORMATS = {suffix: name for suffix, name in FORMATS.items() if name not in ("GIF", "HEIF")}
SAVING_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "WEBP": {"quality": 95}}

RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".kdc"}
    | {".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl"}
    | {".sr2", ".srf", ".srw", ".x3f"}
)
"""Raw files of cameras. Many are TIFF files whose first page is a thumbnail."""

CLIP_SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)
"""Suffixes of video clips."""

DRAWING_SUFFIXES = frozenset(
    {".afphoto", ".ai", ".cdr", ".clip", ".eps", ".kra", ".ora", ".psb", ".psd", ".svg", ".svgz"}
    | {".xcf"}
)

OTHER_SUFFIXES = frozenset(
    {".apng", ".avif", ".avifs", ".dds", ".dib", ".exr", ".hdr", ".icns", ".ico", ".j2c", ".j2k"}
    | {".jif", ".jp2", ".jpe", ".jpf", ".jpx", ".jxl", ".jxr", ".pam", ".pbm", ".pcx", ".pfm"}
    | {".pgm", ".pnm", ".ppm", ".qoi", ".sgi", ".tga", ".wdp"}
)

WHY_UNREADABLE = (
    (HEIC_SUFFIXES, "HEIC pictures need pillow-heif: pip install 'datnet[heic]'"),
    (RAW_SUFFIXES, "raw files of cameras cannot be read; develop it and save it as JPEG or TIFF"),
    (DRAWING_SUFFIXES, "files of drawing programs cannot be read; export it as PNG"),
    (OTHER_SUFFIXES, "pictures of this kind cannot be read; save it as JPEG or PNG"),
    (CLIP_SUFFIXES, "this is a clip; name a picture, such as a frame of it"),
)
"""Suffixes of pictures that cannot be read, with the reason and a remedy."""

UNREADABLE_SUFFIXES = frozenset(suffix for suffixes, _ in WHY_UNREADABLE for suffix in suffixes)


def suffix_of(name: str) -> str:
    """Return the suffix of a name from its last dot on, in lower case: ``.jpg``."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""


def why_unreadable(name: str) -> str:
    """Return why a file whose name looks like a picture's cannot be read; otherwise empty."""
    suffix = suffix_of(name)
    if suffix in FORMATS:  # such as .avif, where Pillow has it
        return ""
    return next((reason for suffixes, reason in WHY_UNREADABLE if suffix in suffixes), "")
