"""Sets of training images: folders of files or of shards, local or remote."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

from PIL import Image

from datnet.data.shards import INDEX, SETTINGS, UNFINISHED, Shards
from datnet.errors import DatNetError
from datnet.images import remote
from datnet.images.errors import UnreadableImageError
from datnet.images.finding import find_image_names, warn_of_left_out
from datnet.images.folders import left_out_by_name
from datnet.images.formats import FORMATS, UNREADABLE_SUFFIXES, suffix_of
from datnet.images.reading import read_image


class ImageSet(Protocol):
    """Images in an order that is the same on every machine."""

    @property
    def short_side(self) -> int | None:
        """The shorter side, in pixels, that larger images were downscaled to; None if none was."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Path or address of image ``index``, for messages."""

    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify the set, equal on machines with the same set."""

    def read(self, index: int, at_least: int | None) -> Image.Image:
        """Decode an image.

        Args:
            index: Index of the image, from 0.
            at_least: Shorter side that is needed, see :func:`datnet.images.reading.read_image`.

        Returns:
            An image of mode RGB.

        Raises:
            UnreadableImageError: If it cannot be used.
            DatNetError: If it cannot be reached at present.
        """


class ImageFiles:
    """Image files below a folder.

    Args:
        folder: The folder.
        names: Paths inside it, written with ``/``.
    """

    short_side: int | None = None

    def __init__(self, folder: Path | str, names: list[str]) -> None:
        self.folder = str(folder).rstrip("/")
        self.names = names  # not Paths: a million would take half a gigabyte more

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """Path of the file."""
        return f"{self.folder}/{self.names[index]}"

    def fingerprint(self) -> str:
        """Fingerprint of the names and their order; the files are not opened."""
        names = "\0".join(self.names).encode(errors="surrogateescape")
        return hashlib.sha256(names).hexdigest()[:16]

    def read(self, index: int, at_least: int | None) -> Image.Image:
        """Decode an image.

        Args:
            index: Index of the image, from 0.
            at_least: Shorter side that is needed, see :func:`datnet.images.reading.read_image`.

        Returns:
            An image of mode RGB.

        Raises:
            UnreadableImageError: If it cannot be used.
        """
        return read_image(self.name(index), at_least=at_least)


class RemoteImageFiles(ImageFiles):
    """Image files below an address."""

    def name(self, index: int) -> str:
        """Address of the file."""
        return remote.join(self.folder, self.names[index])

    def read(self, index: int, at_least: int | None) -> Image.Image:
        """Fetch and decode an image.

        Args:
            index: Index of the image, from 0.
            at_least: Shorter side that is needed, see :func:`datnet.images.reading.read_image`.

        Returns:
            An image of mode RGB.

        Raises:
            UnreadableImageError: If it is missing or cannot be used.
            DatNetError: If it cannot be fetched.
        """
        address = self.name(index)
        try:
            content = remote.read(address)
        except FileNotFoundError as error:
            raise UnreadableImageError(address, "there is no such file") from error
        return read_image(address, content=content, at_least=at_least)


def open_images(location: Path | str) -> ImageSet:
    """Open a local or remote folder of images or shards, without reading an image.

    A :class:`~datnet.errors.DatNetWarning` names pictures that are left out, see
    :func:`datnet.images.finding.find_images`.

    Args:
        location: The folder, with ``~`` for the home folder, or its address.

    Returns:
        The set of images.

    Raises:
        DatNetError: If there is no such folder, or no image in it.
    """
    if not str(location):
        raise DatNetError("the folder of images is empty text; name a folder, or . for this one")
    if remote.is_remote(location):
        address = str(location).rstrip("/")
        try:
            remote.read(f"{address}/{INDEX}")
        except FileNotFoundError:
            return _open_remote_files(address)
        return Shards(address)
    folder = Path(os.path.expanduser(location))  # noqa: PTH111  # never fails
    if (folder / INDEX).exists():
        return Shards(folder)
    if (folder / UNFINISHED / SETTINGS).exists():
        raise DatNetError(
            f"{folder}: the preparation of these images is not finished. Run the same "
            "`datnet data prepare` command again."
        )
    if folder.is_file():
        raise DatNetError(
            f"{folder}: this is a file. Expected a folder with image files or shards; convert an "
            f"archive to one with: datnet data prepare {folder} -o FOLDER"
        )
    return ImageFiles(folder, find_image_names(folder))


def _open_remote_files(address: str) -> ImageSet:
    found = remote.list_names(address, FORMATS.keys() | UNREADABLE_SUFFIXES)
    names = [name for name in found if suffix_of(name) in FORMATS]
    if not names:
        raise DatNetError(f"{address}: there is neither index.json nor an image here.")
    others = [left_out_by_name(name) for name in found if suffix_of(name) not in FORMATS]
    warn_of_left_out(address, others)
    return RemoteImageFiles(address, names)
