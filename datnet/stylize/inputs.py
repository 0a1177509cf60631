"""Resolve names on the command line to input files."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datnet.errors import DatNetError
from datnet.images.errors import printable
from datnet.images.finding import list_images
from datnet.images.folders import Found, is_expected, is_of_system, left_out_by_name
from datnet.images.formats import CLIP_SUFFIXES, FORMATS

MOST_NAMED = 20
"""Maximum number of files listed per reason for leaving them out; the rest are counted."""


@dataclass(frozen=True)
class Inputs:
    """The files that a name on the command line stands for.

    Attributes:
        paths: The files, in order.
        folder: Folder in which they were found, None if the name is that of a single file.
        searched: Whether the name was a folder or a pattern, so their number was unknown.
        left_out: Files and folders that a user may expect here but that cannot be used.
    """

    paths: list[Path]
    folder: Path | None = None
    searched: bool = False
    left_out: tuple[Found, ...] = ()


def find_inputs(name: str, clips: bool) -> Inputs:
    """Find the files for a name on the command line: a file, a folder or a glob pattern.

    A folder is searched recursively. A pattern contains ``*``, ``?`` or ``[``; ``**`` matches any
    number of subfolders. Both find images and optionally clips, and skip hidden and system files
    and folders. An existing file whose name looks like a pattern is taken as the file.

    Args:
        name: The name; a file of this name need not exist.
        clips: Whether to find clips, too.

    Returns:
        The files, and what was left out.

    Raises:
        DatNetError: If a folder or pattern yields no files.
    """
    path = Path(name)
    also = CLIP_SUFFIXES if clips else frozenset()
    if path.is_dir():
        names, left_out = list_images(path, also)
        below = tuple(each._replace(name=str(path / each.name)) for each in left_out)
        return Inputs([path / each for each in names], path, searched=True, left_out=below)
    if path.exists() or not re.search(r"[*?\[]", name):
        return Inputs([path])
    return match_pattern(path, FORMATS.keys() | also)


def match_pattern(pattern: Path, suffixes: Collection[str]) -> Inputs:
    """Find the files that match a glob pattern, see :func:`find_inputs`.

    Args:
        pattern: The pattern.
        suffixes: Suffixes of the files to find, in lower case.

    Returns:
        The files, and what was left out.

    Raises:
        DatNetError: If there is none, or the pattern is invalid.
    """
    inside = pattern.relative_to(pattern.anchor)
    fixed = next(i for i, part in enumerate(inside.parts) if re.search(r"[*?\[]", part))
    root = Path(pattern.anchor, *inside.parts[:fixed])
    rest = Path(*inside.parts[fixed:])

    def is_skipped(path: Path) -> bool:
        folders = path.relative_to(root).parts[:-1]
        return path.name.startswith(".") or any(map(is_of_system, folders))

    try:
        found = [path for path in sorted(root.glob(str(rest))) if not is_skipped(path)]
        searched = [root] if rest.parent == Path() else [root, *root.glob(str(rest.parent))]
    except ValueError as error:  # `**` inside a name
        raise DatNetError(f"{pattern}: this is not a valid file name pattern: {error}") from error
    # glob silently skips folders that cannot be listed.
    left_out = [
        Found(str(folder), f"the folder cannot be listed: {closed.strerror}", closed, True)
        for folder in dict.fromkeys(searched)
        if folder.is_dir()
        and not (folder != root and (is_skipped(folder) or is_of_system(folder.name)))
        and (closed := why_not_listed(folder)) is not None
    ]
    files = []
    for path in found:
        if path.suffix.lower() in suffixes and path.is_file():
            files.append(path)
        elif not path.is_dir() and is_expected(path.name, suffixes):
            reason = left_out_by_name(path.name).reason if path.is_file() else "no such file"
            left_out.append(Found(str(path), reason, is_expected=True))
    if not files:
        others = "".join(f"; {each.name}: {each.reason}" for each in left_out[:3])
        raise DatNetError(f"{pattern}: no image matches this pattern{others}")
    return Inputs(files, root, searched=True, left_out=tuple(left_out))


def why_not_listed(folder: Path) -> OSError | None:
    """Return the error that listing a folder raises; None if it can be listed."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        return error
    return None


def parse_style(text: str) -> tuple[Path, float | None]:
    """Split ``PATH:WEIGHT``; the weight is optional.

    A file that exists under the whole text takes precedence, so paths may contain colons.

    Returns:
        The path, and the weight or None.

    Raises:
        DatNetError: If the path is a folder.
    """
    path, weight = Path(text), None
    before, colon, after = text.rpartition(":")
    if colon and not path.exists():
        with suppress(ValueError):  # a path with a colon
            path, weight = Path(before), float(after)
    if path.is_dir():
        raise DatNetError(
            f"--style {text}: this is a folder; give one painting. `datnet stylize CONTENT "
            f"{path}` uses each picture in it as a style"
        )
    return path, weight


def describe_left_out(left_out: Sequence[Found]) -> Iterator[str]:
    """Yield one line per file left out; above :data:`MOST_NAMED` per reason, one for the rest."""
    by_reason: dict[str, list[Found]] = defaultdict(list)
    for found in left_out:
        by_reason[found.reason].append(found)
    for reason, those in by_reason.items():
        for found in those[:MOST_NAMED]:
            yield f"{printable(found.name)}: {reason}"
        if len(those) > MOST_NAMED:
            yield f"{len(those) - MOST_NAMED} more: {reason}"
