"""What images are prepared from: folders, and zip and tar archives that are not unpacked.

Nothing is extracted to the disk, so it does no harm where an archive's names would lead. Every file
is listed, those that are no images with the reason why they are left out.
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
"""Larger files are left out: they are read into memory."""
BEGINNINGS_OF_COMPRESSED_TARS = {b"\x1f\x8b": gzip, b"BZh": bz2, b"\xfd7zXZ\x00": lzma}
ALWAYS_DAMAGE = (EOFError, gzip.BadGzipFile, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)


class Item(NamedTuple):
    """A file of a source.

    Attributes:
        name: Its path inside the source.
        size: Its bytes.
        place: Where to find it: in a zip the position in the directory, in a tar the position of
            its first byte, in a folder nothing.
        reason: Why it is left out; empty if it is to be read.
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
        """Read a file.

        Raises:
            UnreadableImageError: If that is not possible.
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
        """Read a file, as :meth:`Folder.read`."""
        archive = _zip(self.path)
        try:
            with archive.open(archive.infolist()[item.place]) as file:
                return file.read(item.size)
        except Exception as error:  # of damage, of an unknown compression, …
            reason = f"the archive is damaged here: {error or type(error).__name__}"
            raise UnreadableImageError(self.path / item.name, reason) from error


@dataclass(frozen=True)
class Tar:
    """A tar archive, compressed by gzip, bzip2 or xz or not at all."""

    path: Path

    def items(self) -> Iterator[Item]:
        """All files: sorted by name, or as they lie where one cannot jump."""
        with _opened_tar(self.path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            items = (
                Item(member.name, member.size, member.offset_data, _why_left_out_of_tar(member))
                for member in archive
                if not member.isdir()
            )
            yield from items if _compression(self.path) else sorted(items)

    def read(self, item: Item) -> bytes:
        """Read a file, as :meth:`Folder.read`."""
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
    """Tell what a source is, by its content.

    Raises:
        DatNetError: If there is none, or it is neither a folder nor an archive.
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
            f"{path}: this is no folder, and as a zip or tar archive it cannot be read ({error}). "
            "If it was copied or downloaded, perhaps not to its end: fetch it again."
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
    """An archive that stays open: its directory is read once in a process."""
    return zipfile.ZipFile(path)


@lru_cache(maxsize=8)
def _tar(path: Path) -> BinaryIO:
    """An archive that stays open: a compressed one is decompressed once in a process.

    A shard's files follow one another and so do the shards of a process, so that it never needs to
    go back.
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
