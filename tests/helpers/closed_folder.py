"""A folder that cannot be listed, even by the administrator."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def close(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the operating system refuse to list a folder."""
    scandir = os.scandir

    def refuse(path: str | Path | int = ".") -> os._ScandirIterator:
        if not isinstance(path, int) and Path(path).absolute() == folder.absolute():
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
