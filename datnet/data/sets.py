"""Sets of images to train on, wherever they lie: in a folder, in shards, here or far away."""

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
        """The shorter side, in pixels, that larger images were reduced to; None if none was."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """What to call image ``index`` in messages: its path or address."""

    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell sets apart: two machines with the same set agree."""

    def read(self, index: int, at_least: int | None) -> Image.Image:
        """Decode image ``index``, see :func:`datnet.images.reading.read_image`.

        Raises:
            UnreadableImageError: If it cannot be used.
            DatNetError: If it cannot be got at now.
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
        self.names = names  # not Paths: a million of those are half a gigabyte more

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """Path of the file."""
        return f"{self.folder}/{self.names[index]}"

    def fingerprint(self) -> str:
        """Of the names and their order; the files are not opened."""
        names = "\0".join(self.names).encode(errors="surrogateescape")
        return hashlib.sha256(names).hexdigest()[:16]

    def read(self, index: int, at_least: int | None) -> Image.Image:
        """Decode the file."""
        return read_image(self.name(index), at_least=at_least)


class RemoteImageFiles(ImageFiles):
    """Image files below an address."""

    def name(self, index: int) -> str:
        """Address of the file."""
        return remote.join(self.folder, self.names[index])

    def read(self, index: int, at_least: int | None) -> Image.Image:
        """Get and decode the file."""
        address = self.name(index)
        try:
            content = remote.read(address)
        except FileNotFoundError as error:
            raise UnreadableImageError(address, "there is no such file") from error
        return read_image(address, content=content, at_least=at_least)


def open_images(location: Path | str) -> ImageSet:
    """Open a folder of images or of shards, local or by address, without reading an image.

    A :class:`~datnet.errors.DatNetWarning` tells of pictures that are left out, see
    :func:`datnet.images.finding.find_images`.

    Args:
        location: The folder; ``~`` stands for the user's own.

    Raises:
        DatNetError: If there is no such folder, or no image in it.
    """
    if not str(location):
        raise DatNetError("the folder of images is an empty text; name a folder, or . for this one")
    if remote.is_remote(location):
        address = str(location).rstrip("/")
        try:
            remote.read(f"{address}/{INDEX}")
        except FileNotFoundError:
            return _open_remote_files(address)
        return Shards(address)
    folder = Path(os.path.expanduser(location))  # noqa: PTH111  # which never fails
    if (folder / INDEX).exists():
        return Shards(folder)
    if (folder / UNFINISHED / SETTINGS).exists():
        raise DatNetError(
            f"{folder}: these images are not prepared to the end. Give the same command "
            "`datnet data prepare` again."
        )
    if folder.is_file():
        raise DatNetError(
            f"{folder}: this is a file. Expected a folder with image files, or one of shards; of "
            f"an archive make one with: datnet data prepare {folder} -o FOLDER"
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
