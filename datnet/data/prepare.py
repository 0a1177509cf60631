"""Converts folders and archives of images to shards once, so that training reads them fast.

Shard s holds files s·N to (s+1)·N - 1 of the sources, is made by one process, and depends on
nothing else. So any number of processes writes the same bytes, and after an interruption only the
missing shards are made. A shard, and then the record of its content, appear under their names once
they are complete. At the end the records are merged into the index and the report.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from datnet.data.archives import Folder, Item, Source, list_items, open_source
from datnet.data.shard_writing import Settings, ShardJob, read_record, write_shard
from datnet.data.shards import (
    ENTRIES,
    ENTRY,
    FORMAT,
    INDEX,
    REPORT,
    SETTINGS,
    UNFINISHED,
    Shards,
    member_name,
    shard_name,
)
from datnet.data.workers import supervise
from datnet.errors import DatNetError
from datnet.images.files import complete_or_absent, write_text

OUTCOMES = ("taken", "converted", "skipped")
SECONDS_PER_FILE = 300.0


@dataclass
class Summary:
    """Counts of the outcomes of files.

    Attributes:
        counts: Number of files taken, converted and skipped.
        reasons: Number of skipped files by reason, without its details.
        bytes: Size of all shards.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OUTCOMES, 0))
    reasons: dict[str, int] = field(default_factory=dict)
    bytes: int = 0

    def count(self, outcome: str, reason: str) -> None:
        """Count a file.

        Args:
            outcome: One of :data:`OUTCOMES`.
            reason: Why it was skipped; empty otherwise.
        """
        self.counts[outcome] += 1
        if reason:
            reason = reason.partition(":")[0].partition(" (")[0]
            self.reasons[reason] = self.reasons.get(reason, 0) + 1

    @property
    def images(self) -> int:
        """Number of images to train on."""
        return self.counts["taken"] + self.counts["converted"]


def prepare(sources: list[Path], output: Path, settings: Settings, processes: int) -> Summary:
    """Convert all images in folders and archives to shards, or resume an interrupted conversion.

    Args:
        sources: Folders, zip archives and tar archives; their files are numbered in this order.
        output: Folder for the shards: new, empty, or that of an interrupted preparation.
        settings: Image size, quality and images per shard.
        processes: Number of worker processes.

    Returns:
        Counts of the files by outcome.

    Raises:
        DatNetError: If a setting is invalid, a source cannot be read, there is no usable image, or
            the output folder holds something else or cannot be written.
    """
    settings.check()
    opened = [open_source(path.absolute()) for path in sources]
    _check_output(output, opened)
    try:
        output.mkdir(parents=True, exist_ok=True)
        with FileLock(output / ".lock", timeout=0):
            return _prepare(opened, output.absolute(), settings, processes)
    except Timeout:
        raise DatNetError(f"{output}: another process is preparing images here") from None
    except OSError as error:
        raise DatNetError(
            f"{output}: the shards cannot be written: {error.strerror or error}. Run the same "
            "command to resume."
        ) from error


def _check_output(output: Path, sources: list[Source]) -> None:
    for source in sources:
        if isinstance(source, Folder) and output.resolve().is_relative_to(source.path.resolve()):
            raise DatNetError(f"{output} is inside the source {source.path}; name another folder")
    ours = (output / UNFINISHED / SETTINGS).exists() or _read(output / INDEX).get("format")
    if not ours and any(
        path.is_file() and path.name != ".lock" and path.suffix != ".part"
        for path in output.rglob("*")
    ):
        raise DatNetError(f"{output} is not empty; name a new folder for the shards")


def _prepare(sources: list[Source], output: Path, settings: Settings, processes: int) -> Summary:
    files: list[tuple[Source, Item]] = []
    left_out: list[tuple[Source, Item]] = []
    with tqdm(desc="listing", unit=" files") as progress:
        for source in sources:
            for item in list_items(source):
                (left_out if item.reason else files).append((source, item))
                progress.update()
    if not files:
        raise DatNetError(
            f"{', '.join(str(source.path) for source in sources)}: there is no image file in here"
            f" ({len(left_out)} other files)"
        )
    _begin(output, settings, _fingerprint(files + left_out))
    size = settings.images_per_shard
    jobs = [
        ShardJob(output, shard, files[start : start + size], settings)
        for shard, start in enumerate(range(0, len(files), size))
    ]
    if not (output / INDEX).exists():
        _make_shards(jobs, processes, len(files))
        _write_index(output, jobs, left_out)
    shutil.rmtree(output / UNFINISHED, ignore_errors=True)
    return Summary(**json.loads((output / INDEX).read_text())["summary"])


def _fingerprint(files: list[tuple[Source, Item]]) -> str:
    digest = hashlib.sha256()
    for _, item in files:
        digest.update(repr((item.name, item.size, bool(item.reason))).encode())
    return digest.hexdigest()


def _begin(output: Path, settings: Settings, fingerprint: str) -> None:
    """Record the settings and files, or check that they are those of the interrupted run."""
    expected = asdict(settings) | {"files": fingerprint}
    unfinished = output / UNFINISHED
    found = _read(output / INDEX).get("settings") or _read(unfinished / SETTINGS)
    if found and found != expected:
        different = [key for key in expected if found.get(key) != expected[key]]
        raise DatNetError(
            f"{output} was begun with other {', '.join(different)}. Use the same command as then, "
            "or another folder."
        )
    for left_over in output.glob(".*.part"):  # of processes that were killed
        left_over.unlink()
    if not found:  # not begun, or lost in a power failure: the records' settings are unknown
        for record in unfinished.glob("*.json"):
            record.unlink()
    if not _is_finished(output):
        (output / INDEX).unlink(missing_ok=True)
        write_text(unfinished / SETTINGS, json.dumps(expected))


def _is_finished(output: Path) -> bool:
    """Whether the shards and their index are complete; some may have been lost since."""
    try:
        count = len(Shards(output))
        about = _read(output / INDEX)
        sizes = [(output / shard_name(shard)).stat().st_size for shard in range(about["shards"])]
    except (DatNetError, OSError):
        return False
    return count == about["images"] and sum(sizes) == about["summary"]["bytes"]


def _read(path: Path) -> dict[str, Any]:
    """Return the mapping in a JSON file; empty if it is missing or damaged by a power failure."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _make_shards(jobs: list[ShardJob], processes: int, file_count: int) -> None:
    missing = [job for job in jobs if read_record(job) is None]
    done = file_count - sum(len(job.files) for job in missing)
    with tqdm(total=file_count, initial=done, desc="preparing", unit=" files") as progress:
        for _ in supervise(
            write_shard,
            missing,
            processes=processes,
            seconds=SECONDS_PER_FILE,
            on_items=progress.update,
        ):
            pass


def _write_index(output: Path, jobs: list[ShardJob], left_out: list[tuple[Source, Item]]) -> None:
    summary = Summary(bytes=sum((output / shard_name(job.shard)).stat().st_size for job in jobs))
    entries = np.empty(sum(len(job.files) for job in jobs), ENTRY)
    with (
        complete_or_absent(output / REPORT) as unfinished,
        unfinished.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        report = csv.writer(file)
        report.writerow(["source", "file", "outcome", "reason", "image"])
        for job in jobs:
            for position, outcome in enumerate(read_record(job) or []):
                number = job.first_number + position
                image = ""
                if outcome.outcome != "skipped":
                    image = f"{shard_name(job.shard)}/{member_name(number)}"
                    entries[summary.images] = (number, job.shard, *outcome[2:])
                summary.count(outcome.outcome, outcome.reason)
                source, item = job.files[position]
                report.writerow([source.path.name, item.name, *outcome[:2], image])
        for source, item in left_out:
            summary.count("skipped", item.reason)
            report.writerow([source.path.name, item.name, "skipped", item.reason, ""])
    if not summary.images:
        raise DatNetError(f"no image can be used; {output / REPORT} says why")
    with complete_or_absent(output / ENTRIES) as unfinished, unfinished.open("wb") as binary:
        np.save(binary, entries[: summary.images], allow_pickle=False)
    settings = json.loads((output / UNFINISHED / SETTINGS).read_text())
    about = {
        "format": FORMAT,
        "short_side": settings["short_side"],
        "images": summary.images,
        "shards": len(jobs),
        "settings": settings,
        "summary": asdict(summary),
    }
    write_text(output / INDEX, json.dumps(about, indent=2) + "\n")
