"""The files of a folder and its subfolders: each once, none opened, none unaccounted for."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple


class Found(NamedTuple):
    """A file or folder that was met.

    Attributes:
        name: Its path inside the listed folder, written with ``/``.
        reason: Why it is left out; empty for a file that is wanted.
        error: What forbids to list it, of a folder.
    """

    name: str
    reason: str = ""
    error: OSError | None = None


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
            yield Found(inside, f"the folder cannot be listed: {error.strerror}", error)
            continue
        for entry in entries:
            name = f"{inside}/{entry.name}" if inside else entry.name
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError as error:  # a link that leads to itself
                yield Found(name, f"the link leads nowhere: {error.strerror}")
                continue
            if entry.name.startswith("."):
                yield Found(name, "hidden")
            elif is_folder:
                pending.append(name)
            elif not is_file:
                yield Found(name, "neither a file nor a folder, or a link that leads nowhere")
            elif suffix_of(entry.name) in suffixes:
                yield Found(name)
            else:
                yield Found(name, "its name is not that of an image")


def suffix_of(name: str) -> str:
    """The end of a name from its last dot on, lower case: ``.jpg``."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""
