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
    if (chosen := environment_path("DATNET_CACHE")) is not None:
        return chosen
    try:  # in containers users often have no name, and without one there may be no home
        folder = user_cache_path("datnet")
    except RuntimeError:
        folder = Path("~")
    if str(folder).startswith("~"):  # as older platformdirs has it
        raise DatNetError("there is no home folder for the cache; set DATNET_CACHE to a folder")
    return folder
