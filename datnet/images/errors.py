"""Errors of image files: which one, what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from datnet.errors import DatNetError


class UnreadableImageError(DatNetError):
    """An image file that cannot be used.

    Attributes:
        path: The file.
        name: What it is called in messages: its path, or its address on another machine.
        reason: What is wrong with it, in plain words.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = Path(path)
        self.name = printable(path)  # of the path as given: a Path would change an address
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def printable(path: str | Path) -> str:
    """A path as one line of text: escapes stand for what is no text or would move the cursor."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in str(path)
    )


class UnwritableFileError(DatNetError):
    """A file that the machine does not let be written: the disk is full, or it is forbidden."""
