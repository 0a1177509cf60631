"""Files that are complete or absent, whatever interrupts their writing."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from datnet.errors import DatNetError


def check_writable(paths: Iterable[Path]) -> None:
    """Refuse files that could not be written, before the work whose results they are to hold.

    Nothing is changed by it. Whether there will be room enough it does not tell.

    Args:
        paths: The files; missing folders are to be made.

    Raises:
        OSError: If one cannot be written; it names the file.
    """
    tried: set[Path] = set()
    for path in paths:
        try:
            existing = next(each for each in (path, *path.absolute().parents) if each.exists())
            if existing == path:  # a device would be replaced by a file
                refuse_all_but_files(path)
                existing = path.absolute().parent
            longest = os.pathconf(existing, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
            for part in path.absolute().parts[len(existing.parts) :]:
                if len(os.fsencode(part)) > longest:
                    raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            if existing not in tried:
                with tempfile.TemporaryFile(dir=existing) as trial:  # without a name where possible
                    trial.write(b"\0")
                tried.add(existing)
        except OSError as error:
            error.filename = str(path)
            raise


def refuse_all_but_files(path: Path) -> None:
    """Refuse a folder, and a device or pipe, which a file would replace.

    Raises:
        OSError: If there is one.
    """
    if path.is_dir():
        raise OSError(errno.EISDIR, "this is a folder; name a file", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "this is a device or a pipe; name a file", str(path))


def environment_path(variable: str) -> Path | None:
    """The file or folder that an environment variable names, with ``~`` expanded; None if unset.

    Raises:
        DatNetError: If it is empty.
    """
    value = os.environ.get(variable)
    if value is None:
        return None
    if not value:
        raise DatNetError(f"${variable} is empty; let it name a folder, or unset it")
    return Path(os.path.expanduser(value))  # noqa: PTH111  # which leaves an unknown user's as it is


@contextmanager
def complete_or_absent(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to, and rename it when that is done.

    If the writing fails the temporary file is removed, and a file that stood at ``path`` before
    stays as it was. Missing parent folders are made.

    Raises:
        OSError: If it fails; it names ``path``.
    """
    refuse_all_but_files(path)
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
    """Write a UTF-8 text file, complete or not at all; what is no text in names is escaped."""
    with complete_or_absent(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
