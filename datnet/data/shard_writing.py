"""Writes a shard: decodes its files, and writes their JPEGs and a record of the outcomes."""

from __future__ import annotations

import io
import json
import tarfile
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from datnet.data.archives import Item, Source
from datnet.data.conversion import Prepared, prepare_image
from datnet.data.shards import UNFINISHED, member_name, shard_name
from datnet.data.suitable import SMALLEST_SIDE
from datnet.data.workers import Begin
from datnet.errors import DatNetError
from datnet.images.errors import UnreadableImageError
from datnet.images.files import complete_or_absent, write_text


@dataclass(frozen=True)
class Settings:
    """Settings that determine shards, together with the files.

    Attributes:
        short_side: The shorter side that larger images are downscaled to, in pixels.
        quality: JPEG quality, 1 to 100.
        images_per_shard: Files per shard.
    """

    short_side: int = 512
    quality: int = 95
    images_per_shard: int = 1000

    def check(self) -> None:
        """Check the values.

        Raises:
            DatNetError: If a value is out of range.
        """
        for name, lowest, highest in (
            ("short_side", SMALLEST_SIDE, 4096),
            ("quality", 1, 100),
            ("images_per_shard", 1, 1_000_000),
        ):
            if not lowest <= getattr(self, name) <= highest:
                raise DatNetError(
                    f"--{name.replace('_', '-')} is {getattr(self, name)}; it must be between "
                    f"{lowest} and {highest}"
                )


class Outcome(NamedTuple):
    """Outcome of a file.

    Attributes:
        outcome: ``taken`` unchanged, ``converted`` or ``skipped``.
        reason: Why it was skipped.
        offset: Offset of its JPEG in the shard.
        size: Size of the JPEG in bytes.
        checksum: CRC-32 of the JPEG.
    """

    outcome: str
    reason: str = ""
    offset: int = 0
    size: int = 0
    checksum: int = 0


@dataclass(frozen=True)
class ShardJob:
    """A shard to make.

    Attributes:
        output: Folder of shards.
        shard: Number of the shard.
        files: The files of the shard, each with its source.
        settings: Image size and quality.
    """

    output: Path
    shard: int
    files: list[tuple[Source, Item]]
    settings: Settings

    @property
    def first_number(self) -> int:
        """Number of the first file."""
        return self.shard * self.settings.images_per_shard


def write_shard(job: ShardJob, excluded: Mapping[int, str], begin: Begin) -> None:
    """Write a shard and its record.

    Args:
        job: The shard to make.
        excluded: Positions in the job of files that crash the process, with the reason.
        begin: Called with the position of each file before it is read, untimed, and again before
            it is decoded: reading from a compressed archive may first unpack all files before it.

    Raises:
        DatNetError: If the shard cannot be written.
    """
    warnings.filterwarnings("ignore", module="PIL")  # damaged metadata would clutter the progress
    path = job.output / shard_name(job.shard)
    try:
        with complete_or_absent(path) as unfinished:
            with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as archive:
                outcomes = []
                for position, (source, item) in enumerate(job.files):
                    begin(position, timed=False)
                    if position in excluded:
                        outcomes.append(Outcome("skipped", excluded[position]))
                        continue
                    try:
                        content = source.read(item)
                        begin(position)
                        prepared = prepare_image(
                            source.path / item.name,
                            content,
                            job.settings.short_side,
                            job.settings.quality,
                        )
                    except UnreadableImageError as error:
                        outcomes.append(Outcome("skipped", error.reason))
                        continue
                    outcomes.append(_add(archive, job.first_number + position, prepared))
            size = unfinished.stat().st_size
        record = {"bytes": size, "outcomes": outcomes}
        write_text(record_path(job), json.dumps(record))
    except OSError as error:
        raise DatNetError(
            f"{path} cannot be written: {error.strerror or error}. Run the same command to resume."
        ) from error


def _add(archive: tarfile.TarFile, number: int, prepared: Prepared) -> Outcome:
    content, outcome = prepared
    member = tarfile.TarInfo(member_name(number))  # no owner, no time: reproducible
    member.size = len(content)
    offset = archive.offset + tarfile.BLOCKSIZE
    archive.addfile(member, io.BytesIO(content))
    return Outcome(outcome, "", offset, len(content), zlib.crc32(content))


def record_path(job: ShardJob) -> Path:
    """Return the path of the record of a finished shard."""
    return job.output / UNFINISHED / f"{job.shard:05}.json"


def read_record(job: ShardJob) -> list[Outcome] | None:
    """Return the outcomes of the files of a finished shard; None if it is not finished."""
    try:
        record = json.loads(record_path(job).read_text())
        size = (job.output / shard_name(job.shard)).stat().st_size
    except (FileNotFoundError, ValueError):  # a power failure may leave empty files
        return None
    outcomes = [Outcome(*outcome) for outcome in record["outcomes"]]
    return outcomes if size == record["bytes"] and len(outcomes) == len(job.files) else None
