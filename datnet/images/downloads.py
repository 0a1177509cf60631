"""Downloads that are resumed, whatever the server or the connection does.

While it is fetched, FILE is FILE.part, beside a note of what the server said about it; so a later
call, after a crash or on another day, goes on where this one stopped. It goes on only if the server
vouches, by an ETag or a date, that the file is still the same; else it starts over.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout
from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.images.files import write_text

TIMEOUT_SECONDS = 30.0
"""Without an answer or without data."""
TRIES = 6
"""After so many tries in a row that brought nothing it gives up."""
WAIT_SECONDS = 2.0
"""Before the second try; before the next ones twice as long each."""
CHUNK_BYTES = 2**20
SPARE_BYTES = 2**28
"""What is left free on the disk."""
WORTH_TRYING_AGAIN = {408, 429}
"""HTTP errors below 500 that may go away."""


class SourceError(Exception):
    """A source did not give what it should; the message is one line."""


class RefusedError(SourceError):
    """A source gave an answer that asking again would not change."""


class RangeError(SourceError):
    """A server does not go on with the file where it was asked to."""


@dataclass(frozen=True)
class Answer:
    """What a server says before it sends the bytes.

    Attributes:
        response: Where the bytes come from.
        start: Which byte of the file comes first.
        total: Bytes of the whole file; None if the server does not say.
        validator: What tells this version of the file from others; empty if the server does not.
    """

    response: http.client.HTTPResponse
    start: int
    total: int | None
    validator: str


def ask(url: str, timeout: float, start: int = 0, validator: str = "") -> Answer:
    """Ask for a file, from a byte on if it is still the version that the validator belongs to.

    Raises:
        RefusedError: The server says that there is no such file, or not for us.
        SourceError: It cannot be reached, or answers nonsense.
    """
    if not url.startswith(("http://", "https://")):
        raise RefusedError("this is no address; it would begin with https://")
    request = urllib.request.Request(url)
    if start:
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", validator)
    response = _call(lambda: urllib.request.urlopen(request, timeout=timeout), timeout)
    headers = response.headers
    etag = headers.get("ETag", "")
    # A weak one, W/"…", does not promise that the bytes are the same.
    validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
    if response.status == 206:
        part = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers.get("Content-Range", ""))
        if part is None or int(part[1]) != start:
            response.close()
            raise RangeError(f"asked from byte {start}, got {headers.get('Content-Range')!r}")
        return Answer(response, start, int(part[3]), validator)
    length = headers.get("Content-Length", "")
    return Answer(response, 0, int(length) if length.isdecimal() else None, validator)


def save(answer: Answer, file: BinaryIO, name: str, timeout: float) -> None:
    """Write the bytes that a server sends to a file, with a progress bar.

    Raises:
        SourceError: The connection ended or stalled; what came is in the file.
        OSError: The file cannot be written.
    """
    received = answer.start
    with (
        answer.response as response,
        tqdm(
            total=answer.total, initial=received, unit="B", unit_scale=True, desc=name
        ) as progress,
    ):
        while chunk := _call(lambda: response.read1(CHUNK_BYTES), timeout):
            file.write(chunk)
            received += len(chunk)
            progress.update(len(chunk))
    if answer.total is not None and received != answer.total:
        raise SourceError(f"the connection ended after {received} of {answer.total} bytes")


def _call(network_call: Callable[[], Any], timeout: float) -> Any:
    """Call, and tell failures of the network from failures of the disk, which are OSErrors too."""
    try:
        return network_call()
    except TimeoutError as error:
        raise SourceError(f"no data for {timeout:g} s") from error
    except urllib.error.HTTPError as error:
        kind = SourceError
        if error.code == 416:
            kind = RangeError
        elif error.code < 500 and error.code not in WORTH_TRYING_AGAIN:
            kind = RefusedError
        raise kind(f"{error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise SourceError(f"no answer for {timeout:g} s") from error
        raise SourceError(str(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise SourceError(str(error) or type(error).__name__) from error


# -------------------------------------------------------------------------------------- resuming


@dataclass
class Note:
    """What is known of a file that is not complete.

    Attributes:
        url: Where it comes from.
        validator: See :class:`Answer`.
        total: Likewise.
    """

    url: str
    validator: str
    total: int | None


def download(url: str, path: Path, size: int | None = None) -> None:
    """Fetch a large file, or go on fetching it.

    Args:
        url: Its address.
        path: Where to put it. It appears when all of it is there; what it holds is for the caller
            to check.
        size: Its bytes, if known.

    Raises:
        DatNetError: If it cannot be fetched or does not fit on the disk. What came is kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=0):
            _download(url, path, size)
    except Timeout:
        raise DatNetError(f"{path}: another process is fetching this file") from None
    except SourceError as error:
        raise DatNetError(
            f"{url} cannot be fetched: {error}. The same command goes on where it stopped."
        ) from error
    except OSError as error:
        raise DatNetError(
            f"{path} cannot be written: {error.strerror or error}. The same command goes on where "
            "it stopped."
        ) from error


def _download(url: str, path: Path, size: int | None) -> None:
    part, note_file = (path.with_name(path.name + end) for end in (".part", ".part.json"))
    most = failures = 0
    while True:
        try:
            _go_on(url, part, note_file, size)
            break
        except RefusedError:
            raise
        except SourceError as error:
            held = part.stat().st_size if part.exists() else 0
            failures = 0 if held > most else failures + 1
            most = max(most, held)
            if failures == TRIES:
                raise
            wait = WAIT_SECONDS * 2 ** max(failures - 1, 0)
            tqdm.write(f"{path.name}: {error}; trying again in {wait:g} s")
            time.sleep(wait)
    part.replace(path)
    note_file.unlink(missing_ok=True)


def _go_on(url: str, part: Path, note_file: Path, size: int | None) -> None:
    """One try: fetch what is missing.

    Raises:
        SourceError: Not all of it came.
    """
    note = _read_note(note_file)
    held = part.stat().st_size if part.exists() else 0
    if note is None or note.url != url or not note.validator:
        held = 0
    if note is not None and held and held == note.total:
        return  # it was interrupted between the last byte and the new name
    try:
        answer = ask(url, TIMEOUT_SECONDS, held, note.validator if note and held else "")
        if answer.start and note and answer.total != note.total:
            answer.response.close()
            raise RangeError(f"the file has {answer.total} bytes now and had {note.total}")
    except RangeError:
        note_file.unlink(missing_ok=True)  # next time the whole file is asked for
        raise
    if size is not None and answer.total is not None and answer.total != size:
        raise RefusedError(f"the file there has {answer.total:,} bytes, the known one {size:,}")
    if answer.total is not None:
        _check_space(part, answer.total - answer.start)
    write_text(note_file, json.dumps(asdict(Note(url, answer.validator, answer.total))))
    with part.open("r+b" if answer.start else "wb") as file:
        file.seek(answer.start)
        save(answer, file, part.name.removesuffix(".part"), TIMEOUT_SECONDS)


def _read_note(path: Path) -> Note | None:
    try:
        return Note(**json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _check_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < needed + SPARE_BYTES:
        raise DatNetError(
            f"{path.parent}: {needed / 1e9:.1f} GB are still to come and {free / 1e9:.1f} GB are "
            "free. Make room, or name another folder."
        )
