"""Resumable downloads.

An unfinished FILE is FILE.part, with a note beside it of what the server said about it. A later
call, after a crash or on another day, resumes where this one stopped if the server confirms, by an
ETag or a date, that the file is unchanged. Otherwise it starts over.
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
"""Longest wait for an answer or for data."""
TRIES = 6
"""Consecutive attempts without progress before giving up."""
WAIT_SECONDS = 2.0
"""Wait before the second attempt; it doubles before each further one."""
CHUNK_BYTES = 2**20
SPARE_BYTES = 2**28
"""Disk space to leave free."""
WORTH_TRYING_AGAIN = {408, 429}
"""HTTP errors below 500 that may be temporary."""


class SourceError(Exception):
    """A source failed to deliver; the message is one line."""


class RefusedError(SourceError):
    """A source refused, and asking again would not help."""


class RangeError(SourceError):
    """A server does not resume the file at the requested byte."""


@dataclass(frozen=True)
class Answer:
    """What a server says before it sends the bytes.

    Attributes:
        response: The open response, from which the bytes are read.
        start: Position in the file of the first byte that follows.
        total: Size of the whole file in bytes; None if the server does not state it.
        validator: ETag or date that identifies this version of the file; empty if there is none.
    """

    response: http.client.HTTPResponse
    start: int
    total: int | None
    validator: str


def ask(url: str, timeout: float, start: int = 0, validator: str = "") -> Answer:
    """Request a file, or the rest of it if it still is the version of the validator.

    Args:
        url: Address of the file.
        timeout: Longest wait for the server, in seconds.
        start: First byte that is needed; 0 for the whole file.
        validator: :attr:`Answer.validator` of the version that the first bytes belong to.

    Returns:
        The answer; it may start at 0 although a later byte was requested.

    Raises:
        RefusedError: If the server has no such file or denies access.
        RangeError: If it sends another part of the file.
        SourceError: If it cannot be reached or its answer is invalid.
    """
    if not url.startswith(("http://", "https://")):
        raise RefusedError("this is not an address; it must begin with https://")
    request = urllib.request.Request(url)
    if start:
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", validator)
    response = _call(lambda: urllib.request.urlopen(request, timeout=timeout), timeout)
    headers = response.headers
    etag = headers.get("ETag", "")
    # A weak ETag, W/"…", does not guarantee that the bytes are the same.
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

    Args:
        answer: From :func:`ask`; its response is closed at the end.
        file: The open file; it is written from its current position on.
        name: Title of the progress bar.
        timeout: The timeout that was given to :func:`ask`, in seconds, for the message.

    Raises:
        SourceError: If the connection ended or stalled; the bytes received so far are in the file.
        OSError: If the file cannot be written.
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
    """Make a network call and turn its errors into SourceErrors, distinct from errors of the disk.

    Both are OSErrors.
    """
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
    """What is known about an incomplete file.

    Attributes:
        url: Its address.
        validator: See :class:`Answer`.
        total: See :class:`Answer`.
    """

    url: str
    validator: str
    total: int | None


def download(url: str, path: Path, size: int | None = None) -> None:
    """Download a large file, or resume its download.

    Args:
        url: Address of the file.
        path: Where to put it. It appears once it is complete; the caller checks its content.
        size: Its size in bytes, if known.

    Raises:
        DatNetError: If it cannot be fetched or does not fit on the disk. The bytes received so far
            are kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=0):
            _download(url, path, size)
    except Timeout:
        raise DatNetError(f"{path}: another process is fetching this file") from None
    except SourceError as error:
        raise DatNetError(
            f"{url} cannot be fetched: {error}. Run the same command to resume."
        ) from error
    except OSError as error:
        raise DatNetError(
            f"{path} cannot be written: {error.strerror or error}. Run the same command to resume."
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
    """Make one attempt to fetch the missing part.

    Raises:
        SourceError: If the file is still incomplete.
    """
    note = _read_note(note_file)
    held = part.stat().st_size if part.exists() else 0
    if note is None or note.url != url or not note.validator:
        held = 0
    if note is not None and held and held == note.total:
        return  # interrupted after the last byte, before the file was renamed
    try:
        answer = ask(url, TIMEOUT_SECONDS, held, note.validator if note and held else "")
        if answer.start and note and answer.total != note.total:
            answer.response.close()
            raise RangeError(f"the file has {answer.total} bytes now and had {note.total}")
    except RangeError:
        note_file.unlink(missing_ok=True)  # the next attempt requests the whole file
        raise
    if size is not None and answer.total is not None and answer.total != size:
        raise RefusedError(f"the file there has {answer.total:,} bytes; expected {size:,}")
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
            f"{path.parent}: {needed / 1e9:.1f} GB are still needed and {free / 1e9:.1f} GB are "
            "free. Make room, or name another folder."
        )
