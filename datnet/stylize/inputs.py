"""The files that names on the command line stand for."""

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
"""Of more files that are left out for one reason, the others are counted."""


@dataclass(frozen=True)
class Inputs:
    """The files that a name on the command line stands for.

    Attributes:
        paths: The files, in order.
        folder: The folder below which they were found, None if they were not searched for.
        searched: Whether the name was a folder or a pattern, so that their number was not known.
        left_out: What a user may expect among them and cannot be used, by its path.
    """

    paths: list[Path]
    folder: Path | None = None
    searched: bool = False
    left_out: tuple[Found, ...] = ()


def find_inputs(name: str, clips: bool) -> Inputs:
    """Find what a name on the command line stands for: a file, a folder or a glob pattern.

    A folder is searched with its subfolders. A pattern has ``*``, ``?`` or ``[``, where ``**``
    stands for any subfolders. Both find images and, if they are asked for, clips; hidden files and
    folders and those of the system are skipped. What exists under the very name is no pattern.

    Args:
        name: The name. Whether a file of this name exists is not looked at.
        clips: Whether clips are found, too.

    Raises:
        DatNetError: If a folder or pattern holds none.
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
    """Find the files whose paths match a glob pattern, see :func:`find_inputs`.

    Raises:
        DatNetError: If there is none, or the pattern cannot be understood.
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
        raise DatNetError(f"{pattern}: this is no pattern of file names: {error}") from error
    # A glob passes over folders that cannot be listed.
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
        raise DatNetError(f"{pattern}: no image has such a name{others}")
    return Inputs(files, root, searched=True, left_out=tuple(left_out))


def why_not_listed(folder: Path) -> OSError | None:
    """What forbids to list a folder, if anything."""
    try:
        os.scandir(folder).close()
    except OSError as error:
        return error
    return None


def parse_style(text: str) -> tuple[Path, float | None]:
    """Split ``PATH:WEIGHT``; the weight may be missing.

    A file that is called so as a whole goes before, so a path may have colons.

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
            f"--style {text}: this is a folder; name one painting. `datnet stylize CONTENT "
            f"{path}` takes each of its pictures as a style"
        )
    return path, weight


def describe_left_out(left_out: Sequence[Found]) -> Iterator[str]:
    """One line for each file that is left out, but for many with one reason a line for the rest."""
    by_reason: dict[str, list[Found]] = defaultdict(list)
    for found in left_out:
        by_reason[found.reason].append(found)
    for reason, those in by_reason.items():
        for found in those[:MOST_NAMED]:
            yield f"{printable(found.name)}: {reason}"
        if len(those) > MOST_NAMED:
            yield f"{len(those) - MOST_NAMED} more: {reason}"
