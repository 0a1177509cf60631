"""Git commit of the running code."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str | None:
    """Return the git commit of the running checkout, with "-dirty" if tracked files differ.

    Returns:
        The commit; None outside a checkout, as in an installed wheel.
    """
    folder = Path(__file__).parent
    try:
        tracked = _git(folder, "ls-files", "--error-unmatch", Path(__file__).name)
        head = _git(folder, "rev-parse", "HEAD") if tracked else None
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}-dirty" if changed else head


def _git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(
        # No optional locks: a killed `git status` would leave the checkout's index locked.
        ["git", "--no-optional-locks", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return result.stdout.strip()
