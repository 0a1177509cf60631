"""Pairs of a content and a style image: lists and names."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from datnet.errors import DatNetError
from datnet.images.finding import find_images

Pair = tuple[Path, Path]
"""A content image and a style image."""


def every_pair(contents: Iterable[Path], styles: Iterable[Path]) -> list[Pair]:
    """Pair every content with every style.

    Args:
        contents: Content images.
        styles: Style images.

    Returns:
        All pairs, content by content.
    """
    styles = list(styles)
    return [(content, style) for content in contents for style in styles]


def read_pairs(path: Path, content_dir: Path, style_dir: Path) -> list[Pair]:
    """Read a list of pairs, such as the pairs.csv that every evaluation writes.

    Args:
        path: CSV with the columns content and style: file names in the two folders or their
            subfolders, with as many parent folders as needed to distinguish them.
        content_dir: Folder of the content images.
        style_dir: Folder of the style images.

    Returns:
        The pairs in the order of the file.

    Raises:
        DatNetError: If the file cannot be read or lacks a column, or a name does not match exactly
            one image.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            names = [(row["content"], row["style"]) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatNetError(f"{path} cannot be read: {error}") from error
    except KeyError as error:
        raise DatNetError(f"{path} must have the columns content and style") from error
    contents, styles = find_images(content_dir), find_images(style_dir)
    return [
        (image_called(content, contents, path), image_called(style, styles, path))
        for content, style in names
    ]


def image_called(name: str, images: Sequence[Path], where: Path | str) -> Path:
    """Return the image of a name.

    Args:
        name: File name, with as many parent folders as needed.
        images: The images.
        where: What names it, for the message.

    Raises:
        DatNetError: If not exactly one image has this name.
    """
    wanted = Path(name or "").parts
    found = [image for image in images if image.parts[-len(wanted) :] == wanted] if wanted else []
    if len(found) != 1:
        raise DatNetError(f"{where}: {len(found)} images are called {name!r}; it must be one")
    return found[0]


def short_names(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """Return file names of each pair, with as many parent folders as needed to distinguish them.

    Raises:
        DatNetError: If a name cannot be written to a CSV file, or a pair is in the list twice.
    """
    contents, styles = (_short_names(paths) for paths in zip(*pairs, strict=True))
    names = [(contents[content], styles[style]) for content, style in pairs]
    if len(set(names)) != len(pairs):
        content, style = next(pair for pair in names if names.count(pair) > 1)
        raise DatNetError(f"the pair {content}, {style} is in the list twice: remove one of them")
    return names


def _short_names(paths: Iterable[Path]) -> dict[Path, str]:
    distinct = list(dict.fromkeys(paths))
    deepest = max(len(path.parts) for path in distinct)
    names: list[str] = []
    for depth in range(1, deepest + 1):
        names = ["/".join(path.parts[-depth:]) for path in distinct]
        if len(set(names)) == len(distinct):
            break
    for name in names:
        if re.search("[\r\n\ud800-\udfff]", name):  # surrogates are bytes that are not UTF-8
            raise DatNetError(
                f"the file name {name!r} has a line break in it or is not UTF-8: rename the file"
            )
    return dict(zip(distinct, names, strict=True))


def image_names(pairs: Iterable[Pair]) -> list[str]:
    """Return the file names of saved results in images/, in the order of the pairs.

    They are CONTENT__STYLE.png, with a number if two pairs would share a name.
    """
    used: set[str] = set()
    names = []
    for content, style in pairs:
        # File systems allow 255 bytes, and some ignore letter case.
        stem = "__".join(
            path.stem.encode()[:100].decode(errors="ignore") for path in (content, style)
        )
        name, number = stem, 1
        while name.lower() in used:
            number += 1
            name = f"{stem}-{number}"
        used.add(name.lower())
        names.append(f"{name}.png")
    return names
