"""The folder in which DatNet keeps what it fetched or measured once."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_dir() -> Path:
    """Return DatNet's cache folder: ``$DATNET_CACHE``, else the user's cache folder.

    The folder need not exist yet; whoever writes into it creates it.
    """
    chosen = os.environ.get("DATNET_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("datnet")
