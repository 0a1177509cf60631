"""Lists the image files of a folder, in the same order on every machine."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from datnet.errors import DatNetError, DatNetWarning
from datnet.images.errors import printable
from datnet.images.folders import Found, walk
from datnet.images.formats import FORMATS


class Finding(NamedTuple):
    """The image files of a folder.

    Attributes:
        names: Their paths inside the folder, sorted, written with ``/``.
        left_out: Files and folders that a user may expect to be used and are not, sorted, with the
            reasons.
    """

    names: list[str]
    left_out: list[Found]


def find_images(folder: str | Path) -> list[Path]:
    """List the image files in a folder and its subfolders, without opening them.

    Files are recognized by their suffix, whatever its case; see :data:`FORMATS`. Hidden files and
    folders are left out, and so are system folders such as thumbnails of a NAS. Links are followed;
    a folder that can be reached in several ways is listed once, so loops of links do no harm. A
    :class:`DatNetWarning` names pictures and folders that are left out because they cannot be read.

    Args:
        folder: The folder.

    Returns:
        At least one path, sorted by the path inside the folder (written with ``/``), so that the
        order is the same on every machine.

    Raises:
        DatNetError: If the folder is missing, cannot be read or holds no image.
    """
    folder = Path(folder)
    return [folder / name for name in find_image_names(folder)]


def find_image_names(folder: Path) -> list[str]:
    """List images as :func:`find_images` does, as paths inside the folder, to save memory."""
    names, left_out = list_images(folder)
    warn_of_left_out(folder, left_out)
    return names


def warn_of_left_out(folder: Path | str, left_out: list[Found]) -> None:
    """Warn in one line about pictures that are left out.

    Args:
        folder: The folder or address.
        left_out: The files and folders, with reasons; no warning if empty.
    """
    if left_out:
        warnings.warn(DatNetWarning(f"{printable(folder)}: {summary(left_out)}"), stacklevel=2)


def list_images(folder: Path, also: Collection[str] = ()) -> Finding:
    """List the image files in a folder, and what is left out.

    Args:
        folder: The folder.
        also: Further suffixes, lower case with the dot, of files to list.

    Returns:
        The files and what is left out.

    Raises:
        DatNetError: If the folder is missing, cannot be read or holds no image.
    """
    if not folder.exists():
        raise DatNetError(f"{folder}: there is no such folder. Expected a folder with image files.")
    if not folder.is_dir():
        raise DatNetError(f"{folder}: this is a file. Expected a folder with image files.")
    suffixes = [*FORMATS, *sorted(also)]
    names: list[str] = []
    left_out: list[Found] = []
    other_files = 0
    for found in walk(folder, suffixes):
        if found.error and not found.name:
            raise DatNetError(
                f"{folder}: cannot list this folder: {found.error.strerror}"
            ) from found.error
        if not found.reason:
            names.append(found.name)
        elif not PurePosixPath(found.name).name.startswith("."):
            other_files += 1
            if found.is_expected:
                left_out.append(found)
    left_out.sort(key=lambda found: found.name)
    if not names:
        raise DatNetError(
            f"{folder}: there is no image in this folder or its subfolders"
            f" ({other_files} other files). "
            + (f"{summary(left_out)}. " if left_out else "")
            + f"Expected files named {', '.join(suffixes)}."
        )
    return Finding(sorted(names), left_out)


def summary(left_out: list[Found]) -> str:
    """Return one line that says how many files are left out and why, with an example per reason."""
    counts = Counter(found.reason for found in left_out)
    first = {found.reason: printable(found.name) for found in reversed(left_out)}
    return "left out " + "; ".join(
        f"{first[reason]}{f' and {count - 1} more' if count > 1 else ''} ({reason})"
        for reason, count in counts.most_common()
    )
