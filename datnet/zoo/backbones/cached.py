"""Weights in the cache: verified on reading, written by one process at a time."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from datnet.errors import DatNetError
from datnet.zoo.backbones.cache import cache_dir
from datnet.zoo.backbones.contents import read_cache_file, to_cache_file

if TYPE_CHECKING:
    from torch import Tensor

LOCK_TIMEOUT_SECONDS = 3600.0


def cached_file(name: str) -> Path:
    """Return the cache file of a backbone or converted file of that name; it need not exist."""
    return cache_dir() / "weights" / f"{name}.safetensors"


def read_cached(name: str, path: Path) -> dict[str, Tensor] | None:
    """Read a cache file; a damaged one causes a warning.

    Args:
        name: Name of the backbone.
        path: The cache file.

    Returns:
        Its tensors by name, or None if it is missing or damaged.
    """
    if not path.is_file():
        return None
    try:
        return read_cache_file(name, path)
    except DatNetError as error:
        warnings.warn(f"{error} It will be replaced.", stacklevel=2)
        return None


def store(tensors: dict[str, Tensor], source: str, scratch: Path, path: Path) -> None:
    """Write a cache file atomically, by way of the scratch folder.

    Args:
        tensors: The convolutions by name.
        source: Where they come from, recorded in the file.
        scratch: Folder for unfinished files, on the same file system.
        path: The cache file.
    """
    complete = scratch / path.name
    complete.write_bytes(to_cache_file(tensors, source))
    complete.replace(path)


@contextmanager
def writing_to_cache() -> Iterator[Path]:
    """Lock the cache for writing and yield a folder for unfinished files.

    The folder is removed at the end, and at the start if a killed process left it.

    Raises:
        DatNetError: If the cache cannot be written, for instance because the disk is full.
    """
    folder = cache_dir() / "weights"
    scratch = folder / ".unfinished"
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"Waiting for another process that writes to {folder} …")
            lock.acquire(timeout=LOCK_TIMEOUT_SECONDS)
        try:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            lock.release()
    except Timeout as error:
        raise DatNetError(
            f"Another process has been writing to {folder} for {LOCK_TIMEOUT_SECONDS:.0f} s. "
            f"Wait for it or end it; or set DATNET_CACHE to another folder."
        ) from error
    except OSError as error:
        raise DatNetError(
            f"Cannot write pretrained weights to {folder}: {error.strerror or error}. Fetching "
            f"takes up to 700 MB there; set DATNET_CACHE to use another folder."
        ) from error


def say(message: str) -> None:
    """Print a message to standard error about a step that takes a while."""
    print(message, file=sys.stderr, flush=True)
