"""Atomic writes: a file is complete or absent, even if writing is interrupted."""

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
    """Check that files can be written, before the work whose results they will hold.

    Nothing is changed. Free disk space is not checked.

    Args:
        paths: The files; missing parent folders count as writable if they can be made.

    Raises:
        OSError: If a file cannot be written; the error names it.
    """
    tried: set[Path] = set()
    for path in paths:
        try:
            existing = next(each for each in (path, *path.absolute().parents) if each.exists())
            if existing == path:  # a file would replace a device
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
    """Refuse a path at which there is a folder, a device or a pipe.

    Raises:
        OSError: If there is one; a file would replace the device or pipe.
    """
    if path.is_dir():
        raise OSError(errno.EISDIR, "this is a folder; name a file", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "this is a device or a pipe; name a file", str(path))


def environment_path(variable: str) -> Path | None:
    """Return the path in an environment variable, with ``~`` expanded; None if it is unset.

    Raises:
        DatNetError: If the variable is empty.
    """
    value = os.environ.get(variable)
    if value is None:
        return None
    if not value:
        raise DatNetError(f"${variable} is empty; set it to a folder, or unset it")
    return Path(os.path.expanduser(value))  # noqa: PTH111  # leaves an unknown user's as it is


@contextmanager
def complete_or_absent(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` to write to, and rename it to ``path`` at the end.

    If writing fails, the temporary file is removed and an existing file at ``path`` is unchanged.
    Missing parent folders are made.

    Raises:
        OSError: If writing fails; the error names ``path``.
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
    """Add the file name to an OSError that has none, such as that of a full disk.

    Args:
        path: The file that is written.
        instead_of: A temporary file whose name is replaced in errors.

    Returns:
        A context manager for the code that writes.

    Raises:
        OSError: The error of that code, with the name of ``path``.
    """
    try:
        yield
    except OSError as error:
        # Without errno it is not an error of the system, and a file name would hide its message.
        if error.errno is not None and error.filename in (None, str(instead_of)):
            error.filename = str(path)
        raise


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically, with the permissions of the umask.

    Args:
        path: The file; an existing one is replaced.
        content: Its bytes.

    Raises:
        OSError: If it cannot be written; the error names ``path``.
    """
    with complete_or_absent(path) as unfinished:
        unfinished.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically; undecodable bytes of file names are escaped.

    Args:
        path: The file; an existing one is replaced.
        text: Its content.

    Raises:
        OSError: If it cannot be written; the error names ``path``.
    """
    with complete_or_absent(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
