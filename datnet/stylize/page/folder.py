"""The page's folder: what comes into it goes again, and it does not fill the disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

KEPT_SECONDS = 1800
"""How long uploads and results stay on the server's disk."""

FULL_BYTES = 2 * 10**9
"""How large uploads and results may be together before no upload is taken."""

TIDYING_SECONDS = 60
"""How often the folder is looked through."""


@contextmanager
def tidied(folder: Path) -> Iterator[None]:
    """Remove files that come into a folder when they are old, from a thread, until the end.

    Gradio's own task for this ends for good when a file comes in while it looks through them.
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
    """Remove what has been in a folder for more than :data:`KEPT_SECONDS`, but for ``kept``."""
    oldest = time.time() - KEPT_SECONDS
    for path in folder.rglob("*"):
        with suppress(OSError):  # an upload is given its name meanwhile
            # Not the time of modification, which a copy inherits.
            if path not in kept and path.is_file() and path.stat().st_ctime < oldest:
                path.unlink()


def is_full(folder: Path) -> bool:
    """Tell whether a folder's files have :data:`FULL_BYTES` or more."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total >= FULL_BYTES
