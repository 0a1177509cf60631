"""The folder in which DatNet keeps what it fetched or measured once."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path

from datnet.errors import DatNetError
from datnet.images.files import environment_path


def cache_dir() -> Path:
    """Return DatNet's cache folder: ``$DATNET_CACHE``, else the user's cache folder.

    The folder need not exist yet; whoever writes into it creates it.

    Raises:
        DatNetError: If ``$DATNET_CACHE`` is empty, or it is unset and the user has no home folder.
    """
    folder = environment_path("DATNET_CACHE") or user_cache_path("datnet")
    if str(folder).startswith("~"):  # as in containers, whose users are often not known by name
        raise DatNetError("there is no home folder for the cache; set DATNET_CACHE to a folder")
    return folder
