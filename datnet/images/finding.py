"""The image files of a folder, in an order that is the same on every machine."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PurePosixPath

from datnet.errors import DatNetError
from datnet.images.folders import walk
from datnet.images.formats import FORMATS


def find_images(folder: str | Path, also: Collection[str] = ()) -> list[Path]:
    """List the image files in a folder and its subfolders, without opening them.

    Files are known by their suffix, in capitals or not; see :data:`FORMATS`. Hidden files and
    folders are left out. Links are followed; a folder that can be reached in several ways is
    listed once, so links that form a loop do no harm.

    Args:
        folder: The folder.
        also: Further suffixes, lower case with the dot, of files that are listed as well.

    Returns:
        At least one path, sorted by the path inside the folder (written with ``/``), so that the
        order is the same on every machine.

    Raises:
        DatNetError: If the folder is missing, cannot be read or holds no image.
    """
    folder = Path(folder)
    return [folder / name for name in find_image_names(folder, also)]


def find_image_names(folder: Path, also: Collection[str] = ()) -> list[str]:
    """As :func:`find_images`, but the paths inside the folder, which take less memory."""
    if not folder.exists():
        raise DatNetError(f"{folder}: there is no such folder. Expected a folder with image files.")
    if not folder.is_dir():
        raise DatNetError(f"{folder}: this is a file. Expected a folder with image files.")
    suffixes = [*FORMATS, *sorted(also)]
    names: list[str] = []
    other_files = 0
    for found in walk(folder, suffixes):
        if found.error:
            raise DatNetError(
                f"{folder / found.name}: cannot list this folder: {found.error.strerror}"
            ) from found.error
        if not found.reason:
            names.append(found.name)
        elif not PurePosixPath(found.name).name.startswith("."):
            other_files += 1
    if not names:
        raise DatNetError(
            f"{folder}: there is no image in this folder or its subfolders"
            f" ({other_files} other files). Expected files named {', '.join(suffixes)}."
        )
    return sorted(names)
