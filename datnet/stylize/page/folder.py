"""The folder of the page: old files are removed and its size is limited."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from datnet.stylize.page.limits import Limits
from datnet.stylize.page.repeating import repeating


@contextmanager
def tidied(folder: Path, limits: Limits) -> Iterator[None]:
    """Remove old files from a folder in a background thread within the block.

    Files that exist at the start are kept. Gradio's own task for this dies if a file arrives while
    it lists them.

    Args:
        folder: The folder.
        limits: When files are old, and how often to look for them.
    """
    kept = set(folder.rglob("*"))
    with repeating(
        lambda: remove_old_files(folder, kept, limits.kept_seconds), limits.tidying_seconds
    ):
        yield


def remove_old_files(folder: Path, kept: Collection[Path], seconds: float) -> None:
    """Remove old files.

    Args:
        folder: The folder, searched recursively.
        kept: Files to keep in any case.
        seconds: Time in the folder after which other files are removed.
    """
    oldest = time.time() - seconds
    for path in folder.rglob("*"):
        with suppress(OSError):  # an upload may be renamed meanwhile
            # Not the modification time, which copies inherit.
            if path not in kept and path.is_file() and path.stat().st_ctime < oldest:
                path.unlink()


def is_full(folder: Path, most_bytes: int) -> bool:
    """Return whether the files in a folder have at least a number of bytes in total."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total >= most_bytes
