"""Sources of images to prepare: folders, and zip and tar archives, which are read in place.

Nothing is extracted to the disk, so paths inside an archive can do no harm. Every file is listed;
those that are not images have a reason why they are left out.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, NamedTuple, cast

from datnet.errors import DatNetError
from datnet.images.errors import UnreadableImageError
from datnet.images.folders import is_of_system, left_out_by_name, walk
from datnet.images.formats import FORMATS, suffix_of

MOST_BYTES = 2**29
"""Larger files are left out, since files are read into memory."""
BEGINNINGS_OF_COMPRESSED_TARS = {b"\x1f\x8b": gzip, b"BZh": bz2, b"\xfd7zXZ\x00": lzma}
ALWAYS_DAMAGE = (EOFError, gzip.BadGzipFile, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)


class Item(NamedTuple):
    """A file of a source.

    Attributes:
        name: Its path inside the source.
        size: Its size in bytes.
        place: Where to find it: its index in the directory of a zip, the offset of its first byte
            in a tar, unused in a folder.
        reason: Why it is left out; empty if it will be read.
    """

    name: str
    size: int = 0
    place: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Folder:
    """A folder with subfolders."""

    path: Path

    def items(self) -> Iterator[Item]:
        """All files, sorted by name."""
        for found in sorted(walk(self.path, FORMATS)):
            size = 0
            reason = found.reason
            if not reason:
                try:
                    size = (self.path / found.name).stat().st_size
                except OSError as error:
                    reason = f"the file cannot be read: {error.strerror}"
            yield Item(found.name, size, reason=reason or _too_large(size))

    def read(self, item: Item) -> bytes:
        """Return the content of a file.

        Raises:
            UnreadableImageError: If it cannot be read.
        """
        path = self.path / item.name
        try:
            return path.read_bytes()
        except OSError as error:
            reason = f"the file cannot be read: {error.strerror}"
            raise UnreadableImageError(path, reason) from error


@dataclass(frozen=True)
class Zip:
    """A zip archive."""

    path: Path

    def items(self) -> Iterator[Item]:
        """All files, sorted by name."""
        items = [
            Item(info.filename, info.file_size, place, _why_left_out_of_zip(info))
            for place, info in enumerate(_zip(self.path).infolist())
            if not info.is_dir()
        ]
        yield from sorted(items)

    def read(self, item: Item) -> bytes:
        """Return the content of a file.

        Raises:
            UnreadableImageError: If the archive is damaged there.
        """
        archive = _zip(self.path)
        try:
            with archive.open(archive.infolist()[item.place]) as file:
                return file.read(item.size)
        except Exception as error:  # damage, an unknown compression, …
            reason = f"the archive is damaged here: {error or type(error).__name__}"
            raise UnreadableImageError(self.path / item.name, reason) from error


@dataclass(frozen=True)
class Tar:
    """A tar archive, uncompressed or compressed by gzip, bzip2 or xz."""

    path: Path

    def items(self) -> Iterator[Item]:
        """All files, sorted by name; those of a compressed archive in archive order."""
        with _opened_tar(self.path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            items = (
                Item(member.name, member.size, member.offset_data, _why_left_out_of_tar(member))
                for member in archive
                if not member.isdir()
            )
            yield from items if _compression(self.path) else sorted(items)

    def read(self, item: Item) -> bytes:
        """Return the content of a file.

        Raises:
            UnreadableImageError: If the archive is damaged there or ends before.
        """
        try:
            stream = _tar(self.path)
            stream.seek(item.place)
            content = stream.read(item.size)
        except (OSError, EOFError, lzma.LZMAError) as error:
            reason = f"the archive is damaged here: {error}"
            raise UnreadableImageError(self.path / item.name, reason) from error
        if len(content) < item.size:
            raise UnreadableImageError(self.path / item.name, "the archive ends here")
        return content


Source = Folder | Zip | Tar


def open_source(path: Path) -> Source:
    """Open a folder or an archive, whose kind is recognized by its content.

    Raises:
        DatNetError: If it does not exist or is neither a folder nor an archive.
    """
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise DatNetError(f"{path}: there is no such folder or archive")
    try:
        if zipfile.is_zipfile(path):
            return Zip(path)
        with _opened_tar(path) as stream, tarfile.open(fileobj=stream, mode="r:"):
            return Tar(path)
    except (OSError, *ALWAYS_DAMAGE) as error:
        raise DatNetError(
            f"{path}: this is neither a folder nor a readable zip or tar archive ({error}). "
            "If it was copied or downloaded, it may be incomplete: fetch it again."
        ) from error


def list_items(source: Source) -> Iterator[Item]:
    """List the files of a source.

    Raises:
        DatNetError: If the archive's list of files is damaged.
    """
    try:
        yield from source.items()
    except (OSError, *ALWAYS_DAMAGE) as error:
        raise DatNetError(
            f"{source.path}: the archive is damaged or not complete ({error}). Fetch it again."
        ) from error


def _why_left_out(name: str, size: int) -> str:
    parts = name.split("/")
    if any(part.startswith(".") for part in parts if part not in (".", "..")):
        return "hidden"
    if any(is_of_system(part) for part in parts[:-1] if part not in (".", "..")):
        return "a system folder, not one of pictures"
    if suffix_of(parts[-1]) not in FORMATS:
        return left_out_by_name(name).reason
    return _too_large(size)


def _too_large(size: int) -> str:
    return f"the file is too large: {size / 1e6:.0f} MB" if size > MOST_BYTES else ""


def _why_left_out_of_zip(info: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link inside an archive"
    if info.flag_bits & 1:
        return "encrypted"
    return _why_left_out(info.filename, info.file_size)


def _why_left_out_of_tar(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link inside an archive"
    if not member.isreg() or member.issparse():
        return "neither a file nor a folder"
    return _why_left_out(member.name, member.size)


@lru_cache(maxsize=8)
def _zip(path: Path) -> zipfile.ZipFile:
    """Return an archive that stays open, so that its directory is read once per process."""
    return zipfile.ZipFile(path)


@lru_cache(maxsize=8)
def _tar(path: Path) -> BinaryIO:
    """Return an archive that stays open, so that it is decompressed at most once per process.

    The files of a shard are in archive order, and so are the shards of a process, so it never seeks
    backward.
    """
    return _opened_tar(path)


def _opened_tar(path: Path) -> BinaryIO:
    module = _compression(path)
    return cast(BinaryIO, module.open(path) if module else path.open("rb"))


def _compression(path: Path) -> ModuleType | None:
    with path.open("rb") as file:
        beginning = file.read(6)
    for known, module in BEGINNINGS_OF_COMPRESSED_TARS.items():
        if beginning.startswith(known):
            return module
    return None
