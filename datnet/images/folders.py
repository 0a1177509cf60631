"""Walks a folder and its subfolders: every file is reported once and none is opened."""

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
"""Names, in lower case, of system folders for thumbnails and deleted files, which are skipped."""


class Found(NamedTuple):
    """A file or folder that was found.

    Attributes:
        name: Its path inside the listed folder, written with ``/``.
        reason: Why it is left out; empty for a wanted file.
        error: The error that prevented listing it, if it is a folder.
        is_expected: Whether a user may expect it to be used, such as a picture in an unreadable
            format or a folder that cannot be listed.
    """

    name: str
    reason: str = ""
    error: OSError | None = None
    is_expected: bool = False


def walk(folder: Path, suffixes: Collection[str]) -> Iterator[Found]:
    """Walk a folder and its subfolders, each of which is listed once.

    Links are followed; a folder that can be reached in several ways is listed once, so loops of
    links do no harm.

    Args:
        folder: An existing folder.
        suffixes: Suffixes of wanted files, lower case with the dot.

    Yields:
        Every file, wanted or not, and every folder that is left out, in no particular order.
    """
    seen_folders: set[str] = set()
    pending = [""]
    while pending:
        inside = pending.pop()
        current = folder / inside
        # A name may hold undecodable bytes; a str keeps them as surrogates.
        real = str(current.resolve())
        if real in seen_folders:
            yield Found(inside, "the folder is also reached in another way")
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
            except OSError as error:  # a link to itself
                reason = f"the link leads nowhere: {error.strerror}"
                yield Found(name, reason, is_expected=is_expected(entry.name, suffixes))
                continue
            if entry.name.startswith("."):
                yield Found(name, "hidden")
            elif is_folder and is_of_system(entry.name):
                yield Found(name, "a system folder, not one of pictures")
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
    """Whether a folder with this name is hidden, or holds thumbnails or deleted files."""
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS


def is_expected(name: str, suffixes: Collection[str]) -> bool:
    """Whether a user may expect a file with this name to be used.

    Args:
        name: Name of the file.
        suffixes: Suffixes of wanted files, lower case with the dot.

    Returns:
        See :attr:`Found.is_expected`.
    """
    return suffix_of(name) in suffixes or bool(why_unreadable(name))


def left_out_by_name(name: str) -> Found:
    """Return a file whose suffix is not wanted, with the reason why it is left out."""
    reason = why_unreadable(name)
    return Found(name, reason or "its name is not that of an image", is_expected=bool(reason))
