"""The files of a folder and its subfolders: each once, none opened, none unaccounted for."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from datnet.images.formats import suffix_of, why_unreadable

SYSTEM_FOLDERS = frozenset(
    {"@eadir", "@recently-snapshot", "@recycle", "@__thumb", "#recycle", "#snapshot"}  # of a NAS
    | {"$recycle.bin", "__macosx", "lost+found", "recycler", "system volume information"}
)
"""Folders, lower case, in which systems keep thumbnails and what was deleted. They are skipped."""


class Found(NamedTuple):
    """A file or folder that was met.

    Attributes:
        name: Its path inside the listed folder, written with ``/``.
        reason: Why it is left out; empty for a file that is wanted.
        error: What forbids to list it, of a folder.
        is_expected: Whether a user may expect that it is used, as of a picture in a format that
            cannot be read or a folder that cannot be listed.
    """

    name: str
    reason: str = ""
    error: OSError | None = None
    is_expected: bool = False


def walk(folder: Path, suffixes: Collection[str]) -> Iterator[Found]:
    """Go through a folder and its subfolders, each of which is listed once.

    Links are followed; a folder that can be reached in several ways is gone through once, so links
    that form a loop do no harm.

    Args:
        folder: An existing folder.
        suffixes: Ends of names, lower case with the dot, of the files that are wanted.

    Yields:
        Every file, wanted or not, and every folder that is left out, in no particular order.
    """
    seen_folders: set[str] = set()
    pending = [""]
    while pending:
        inside = pending.pop()
        current = folder / inside
        # A folder's name may hold bytes that are no text; as a str they survive in disguise.
        real = str(current.resolve())
        if real in seen_folders:
            yield Found(inside, "the folder is reached in another way, too")
            continue
        seen_folders.add(real)
        try:
            entries = sorted(os.scandir(current), key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            yield Found(inside, f"the folder cannot be listed: {error.strerror}", error, True)
            continue
        for entry in entries:
            name = f"{inside}/{entry.name}" if inside else entry.name
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError as error:  # a link that leads to itself
                reason = f"the link leads nowhere: {error.strerror}"
                yield Found(name, reason, is_expected=is_expected(entry.name, suffixes))
                continue
            if entry.name.startswith("."):
                yield Found(name, "hidden")
            elif is_folder and is_of_system(entry.name):
                yield Found(name, "a folder of the system's, not of pictures")
            elif is_folder:
                pending.append(name)
            elif not is_file:
                reason = "neither a file nor a folder, or a link that leads nowhere"
                yield Found(name, reason, is_expected=is_expected(entry.name, suffixes))
            elif suffix_of(entry.name) in suffixes:
                yield Found(name)
            else:
                yield left_out_by_name(name)


def is_of_system(name: str) -> bool:
    """Whether a folder with this name holds thumbnails or what was deleted, or is hidden."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def is_expected(name: str, suffixes: Collection[str]) -> bool:
    """Whether a user may expect that a file with this name is used, see :class:`Found`."""
    return suffix_of(name) in suffixes or bool(why_unreadable(name))


def left_out_by_name(name: str) -> Found:
    """A file whose name has none of the wanted suffixes, with the reason why it is left out."""
    reason = why_unreadable(name)
    return Found(name, reason or "its name is not that of an image", is_expected=bool(reason))
