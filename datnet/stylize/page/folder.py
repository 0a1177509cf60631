"""The folder of the page: old files are removed and its size is limited."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KEPT_SECONDS = 1800
"""Time in seconds after which uploads and results are removed."""

FULL_BYTES = 2 * 10**9
"""Total size of uploads and results from which new uploads are refused."""

TIDYING_SECONDS = 60
"""Interval in seconds between removals."""


@contextmanager
def tidied(folder: Path) -> Iterator[None]:
    """Remove old files from a folder in a background thread within the block.

    Files that exist at the start are kept. Gradio's own task for this dies if a file arrives while
    it lists them.
    """
    kept = set(folder.rglob("*"))
    ended = threading.Event()

    def tidy() -> None:
        while not ended.wait(TIDYING_SECONDS):
            remove_old_files(folder, kept)

    thread = threading.Thread(target=tidy, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def remove_old_files(folder: Path, kept: Collection[Path]) -> None:
    """Remove files that have been in a folder for more than :data:`KEPT_SECONDS`.

    Args:
        folder: The folder, searched recursively.
        kept: Files to keep in any case.
    """
    oldest = time.time() - KEPT_SECONDS
    for path in folder.rglob("*"):
        with suppress(OSError):  # an upload may be renamed meanwhile
            # Not the modification time, which copies inherit.
            if path not in kept and path.is_file() and path.stat().st_ctime < oldest:
                path.unlink()


def is_full(folder: Path) -> bool:
    """Return whether the files in a folder have at least :data:`FULL_BYTES` in total."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total >= FULL_BYTES
