"""Files that are complete or absent, whatever interrupts their writing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def complete_or_absent(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to, and rename it when that is done.

    If the writing fails the temporary file is removed, and a file that stood at ``path`` before
    stays as it was. Missing parent folders are made.

    Raises:
        OSError: If it fails; it names ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with errors_name(path, instead_of=unfinished):
            yield unfinished
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def errors_name(path: Path, instead_of: Path | None = None) -> Iterator[None]:
    """Let errors name the file, where the operating system names none, such as on a full disk.

    Args:
        path: What is written, for its reader.
        instead_of: A temporary file that nobody should read of.
    """
    try:
        yield
    except OSError as error:
        # Without a number it is not the operating system's, and a name would hide its words.
        if error.errno is not None and error.filename in (None, str(instead_of)):
            error.filename = str(path)
        raise


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file, complete or not at all, which others may read as the umask says."""
    with complete_or_absent(path) as unfinished:
        unfinished.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, complete or not at all."""
    with complete_or_absent(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="")
