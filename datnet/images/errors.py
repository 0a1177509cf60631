"""Errors about image files: which file, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from datnet.errors import DatNetError


class UnreadableImageError(DatNetError):
    """An image file that cannot be used.

    Attributes:
        path: The file.
        name: Its name in messages: its path, or its address on another machine.
        reason: What is wrong with it.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = Path(path)
        self.name = printable(path)  # the path as given: Path would change an address
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def printable(path: str | Path) -> str:
    """Return a path as one line of text, with unprintable characters escaped."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in str(path)
    )


class UnwritableFileError(DatNetError):
    """A file that cannot be written: the disk is full, or permission is denied."""
