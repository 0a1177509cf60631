"""The cache folder, in which DatNet keeps what it fetched or measured once."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_cache_path

from datnet.errors import DatNetError
from datnet.images.files import environment_path


def cache_dir() -> Path:
    """Return DatNet's cache folder: ``$DATNET_CACHE``, else the user's cache folder.

    The folder need not exist; code that writes into it creates it.

    Raises:
        DatNetError: If ``$DATNET_CACHE`` is empty, or it is unset and the user has no home folder.
    """
    if (chosen := environment_path("DATNET_CACHE")) is not None:
        return chosen
    try:  # users in containers often have no name and no home folder
        folder = user_cache_path("datnet")
    except RuntimeError:
        folder = Path("~")
    if str(folder).startswith("~"):  # as in older versions of platformdirs
        raise DatNetError("there is no home folder for the cache; set DATNET_CACHE to a folder")
    return folder
