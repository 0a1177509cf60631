"""Weights in the cache: verified when they are read, written by one process at a time."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from torch import Tensor

from datnet.errors import DatNetError
from datnet.zoo.backbones.cache import cache_dir
from datnet.zoo.backbones.contents import read_cache_file, to_cache_file

LOCK_TIMEOUT_SECONDS = 3600.0


def cached_file(name: str) -> Path:
    """The cache file of a backbone, or of a converted file of that name; it need not exist."""
    return cache_dir() / "weights" / f"{name}.safetensors"


def read_cached(name: str, path: Path) -> dict[str, Tensor] | None:
    """Return the tensors of a cache file, or None if it is missing or damaged."""
    if not path.is_file():
        return None
    try:
        return read_cache_file(name, path)
    except DatNetError as error:
        warnings.warn(f"{error} It will be replaced.", stacklevel=2)
        return None


def store(tensors: dict[str, Tensor], source: str, scratch: Path, path: Path) -> None:
    """Write a cache file by way of the scratch folder, so that it is never there in part."""
    complete = scratch / path.name
    complete.write_bytes(to_cache_file(tensors, source))
    complete.replace(path)


@contextmanager
def writing_to_cache() -> Iterator[Path]:
    """Let one process at a time write to the cache, and give it a folder for unfinished files.

    The folder is removed at the end, and what a killed process left of it at the start.

    Raises:
        DatNetError: The cache cannot be written, for instance because the disk is full.
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
    """Tell the user what takes a while."""
    print(message, file=sys.stderr, flush=True)
