"""Random access to the shards that ``datnet data prepare`` writes: images in a few large files.

A folder of shards holds

* ``images-00000.tar``, ``images-00001.tar``, …: tar archives in the layout of WebDataset, one JPEG
  per sample, named by its number among the sources' files: ``000012345.jpg``,
* ``index.npy``: the location of each image, a NumPy array of :data:`ENTRY`, memory-mapped and so
  shared by all processes of a machine,
* ``index.json``: how the images were prepared,
* ``report.csv``: the outcome of every source file.

Reading image i is one read of the bytes that entry i names, from a local file or a range over the
network. There is no state, so pairs stay a pure function of their number for any number of
processes and after resuming. The loaders of WebDataset and LitData stream in their own order
instead; ``docs/results/speed.md`` has the time and memory of their random access.
"""

from __future__ import annotations

import hashlib
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datnet.errors import DatNetError
from datnet.images import remote
from datnet.images.errors import UnreadableImageError
from datnet.images.reading import read_image

INDEX = "index.json"
ENTRIES = "index.npy"
REPORT = "report.csv"
UNFINISHED = "unfinished"
SETTINGS = "settings.json"
"""Folder inside a folder of shards that is not complete yet."""
FORMAT = "datnet shards 1"
ENTRY = np.dtype(
    [("number", "<u4"), ("shard", "<u4"), ("offset", "<u8"), ("size", "<u4"), ("checksum", "<u4")]
)
"""An image: its number, its shard, and offset, size and CRC-32 of its JPEG."""


def shard_name(shard: int) -> str:
    """File name of a shard."""
    return f"images-{shard:05}.tar"


def member_name(number: int) -> str:
    """Name of an image inside its shard."""
    return f"{number:09}.jpg"


class Shards:
    """The images of a folder of shards, see :class:`datnet.data.sets.ImageSet`.

    Args:
        location: The folder, or its address.

    Attributes:
        short_side: The shorter side that larger images were downscaled to, in pixels.

    Raises:
        DatNetError: If the index is missing or damaged, or a shard is missing.
    """

    def __init__(self, location: Path | str) -> None:
        self.location = str(location).rstrip("/")
        self.is_remote = remote.is_remote(location)
        about = self._about()
        self.short_side = int(about["short_side"])
        self.entries = self._entries()
        if self.entries.dtype != ENTRY or self.entries.shape != (about["images"],):
            raise self._damaged(ENTRIES, "it does not match index.json")
        if not self.is_remote:
            there = {path.name for path in Path(self.location).iterdir()}
            missing = [
                name for name in map(shard_name, range(about["shards"])) if name not in there
            ]
            if missing:
                raise self._damaged(
                    missing[0], f"it and {len(missing) - 1} other shards are missing"
                )

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, index: int) -> str:
        """Path or address of the shard, and name of the image in it, for messages."""
        entry = self.entries[index]
        return f"{self._path(shard_name(entry['shard']))}/{member_name(entry['number'])}"

    def fingerprint(self) -> str:
        """Fingerprint of the index, which holds the checksum of every image."""
        return hashlib.sha256(self.entries.view(np.uint8).data).hexdigest()[:16]

    def content(self, index: int) -> bytes:
        """Return the JPEG of an image.

        Raises:
            UnreadableImageError: If it is damaged or the shard cannot be read.
            DatNetError: If it cannot be fetched over the network.
        """
        entry = self.entries[index]
        path = self._path(shard_name(entry["shard"]))
        start, size = int(entry["offset"]), int(entry["size"])
        try:
            if self.is_remote:
                content = remote.read(path, start, start + size)
            else:
                with Path(path).open("rb", buffering=0) as file:
                    file.seek(start)
                    content = file.read(size)
        except OSError as error:
            reason = f"the shard cannot be read: {error.strerror or error}"
            raise UnreadableImageError(self.name(index), reason) from error
        if zlib.crc32(content) != entry["checksum"]:
            raise UnreadableImageError(self.name(index), "the shard is damaged here")
        return content

    def read(self, index: int, at_least: int | None) -> Image.Image:
        """Decode an image.

        Args:
            index: Index of the image, from 0.
            at_least: Shorter side that is needed, see :func:`datnet.images.reading.read_image`.

        Returns:
            An image of mode RGB.

        Raises:
            UnreadableImageError: If it is damaged.
            DatNetError: If it cannot be fetched over the network.
        """
        return read_image(self.name(index), content=self.content(index), at_least=at_least)

    def _path(self, name: str) -> str:
        return f"{self.location}/{name}"

    def _about(self) -> dict[str, Any]:
        try:
            about = json.loads(self._whole_file(INDEX))
            if about["format"] != FORMAT:
                raise self._damaged(INDEX, f"it is of format {about['format']!r}, not {FORMAT!r}")
            for key in ("images", "shards", "short_side"):
                about[key] = int(about[key])
            return about
        except OSError as error:
            raise DatNetError(
                f"{self._path(INDEX)} cannot be read: {error.strerror or error}. Prepare the "
                "images with `datnet data prepare`."
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise self._damaged(INDEX, repr(error)) from error

    def _entries(self) -> np.ndarray:
        try:
            if self.is_remote:
                file = io.BytesIO(self._whole_file(ENTRIES))
                entries = np.lib.format.read_array(file, allow_pickle=False)
            else:
                entries = np.load(self._path(ENTRIES), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(ENTRIES, str(error)) from error
        return np.asarray(entries)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for another process, which maps the index again."""
        return self.__dict__ | ({} if self.is_remote else {"entries": None})

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if self.entries is None:
            self.entries = self._entries()

    def _whole_file(self, name: str) -> bytes:
        path = self._path(name)
        return remote.read(path) if self.is_remote else Path(path).read_bytes()

    def _damaged(self, name: str, reason: str) -> DatNetError:
        return DatNetError(
            f"{self._path(name)} is damaged: {reason}. Copy the folder again, or prepare it again "
            "with `datnet data prepare`."
        )
