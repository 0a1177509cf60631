"""Downloads from a server that stalls, cuts off, lies and changes its mind."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from datnet.data import public
from datnet.data.public import PUBLIC_SETS, PublicSet, fetch
from datnet.errors import DatNetError
from datnet.images import downloads
from datnet.images.downloads import TRIES, download

CONTENT = np.random.default_rng(0).bytes(300_000)
NEWER = np.random.default_rng(1).bytes(300_000)
Answer = Callable[["Request"], None]


class Request(http.server.BaseHTTPRequestHandler):
    """A request to the server, with ways to answer it."""

    protocol_version = "HTTP/1.1"
    answers: list[Answer]
    asked: list[tuple[str | None, str | None]]
    released: threading.Event

    def do_GET(self) -> None:
        self.asked.append((self.headers["Range"], self.headers["If-Range"]))
        self.close_connection = True
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer(self)

    def head(self, code: int, length: int | None, **headers: str) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def first_byte(self) -> int:
        return int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").rstrip("-"))

    def log_message(self, *args: object) -> None:
        pass


def well(content: bytes = CONTENT, etag: str = '"1"', end: int | None = None) -> Answer:
    """Answer as HTTP says; up to byte ``end``, and then close the connection."""

    def answer(request: Request) -> None:
        start = request.first_byte()
        if start and request.headers["If-Range"] == etag:
            total = len(content)
            request.head(
                206, total - start, ETag=etag, Content_Range=f"bytes {start}-{total - 1}/{total}"
            )
        else:
            start = 0
            request.head(200, len(content), ETag=etag)
        request.wfile.write(content[start:end])

    return answer


def stalling(end: int) -> Answer:
    """Send a part and then nothing, with the connection open."""

    def answer(request: Request) -> None:
        well(end=end)(request)
        request.wfile.flush()
        request.released.wait(60)

    return answer


def without_ranges(end: int | None = None) -> Answer:
    """Send the whole file whatever is asked."""

    def answer(request: Request) -> None:
        request.head(200, len(CONTENT), ETag='"1"')
        request.wfile.write(CONTENT[:end])

    return answer


def elsewhere(offset: int) -> Answer:
    """Go on at another byte than was asked for."""

    def answer(request: Request) -> None:
        start = request.first_byte() + offset
        total = len(CONTENT)
        headers = {"ETag": '"1"', "Content_Range": f"bytes {start}-{total - 1}/{total}"}
        request.head(206, total - start, **headers)
        request.wfile.write(CONTENT[start:])

    return answer


def failing(code: int) -> Answer:
    return lambda request: request.head(code, 0)


def nonsense(request: Request) -> None:
    request.wfile.write(b"this is not HTTP\r\n\r\n")


def hanging_up(request: Request) -> None:
    request.connection.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """A server that gives one answer after the other, and repeats the last one."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(downloads, "TIMEOUT_SECONDS", 0.3)
    state = SimpleNamespace(answers=[], asked=[], released=threading.Event())
    handler = type("Handler", (Request,), vars(state))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        state.url = f"http://127.0.0.1:{running.server_port}/images.zip"
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        state.released.set()
        running.shutdown()


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".images.zip.lock"}


# ------------------------------------------------------------------------------------ resuming


@pytest.mark.parametrize(
    ("answers", "starts"),
    [
        ([well()], [0]),
        ([well(end=100_000), well(end=200_000), well()], [0, 100_000, 200_000]),
        ([stalling(100_000), well()], [0, 100_000]),
        ([well(end=100_000), failing(503), nonsense, hanging_up, well()], [0, *[100_000] * 4]),
        ([well(end=100_000), failing(429), well()], [0, 100_000, 100_000]),
        ([well(end=100_000), without_ranges()], [0, 100_000]),
        ([without_ranges(end=100_000), without_ranges(), well()], [0, 100_000]),
        ([well(end=100_000), elsewhere(-7), well()], [0, 100_000, 0]),
        ([well(end=100_000), elsewhere(+7), well()], [0, 100_000, 0]),
        ([well(end=100_000), failing(416), well()], [0, 100_000, 0]),
        ([well(end=100_000), without_ranges(end=50_000), well()], [0, 100_000, 50_000]),
    ],
    ids=[
        *("at once", "cut off", "stalled", "errors", "too many", "ranges ignored"),
        *("never ranges", "range before", "range after", "range refused", "mind changed twice"),
    ],
)
def test_the_file_arrives_whatever_happens(
    server: SimpleNamespace, tmp_path: Path, answers: list[Answer], starts: list[int]
) -> None:
    server.answers += answers
    download(server.url, tmp_path / "images.zip", len(CONTENT))
    assert (tmp_path / "images.zip").read_bytes() == CONTENT
    assert [int((wanted or "bytes=0-")[6:-1]) for wanted, _ in server.asked] == starts
    assert left(tmp_path) == {"images.zip"}


def test_another_version_of_the_file_is_not_glued_to_the_first(
    server: SimpleNamespace, tmp_path: Path
) -> None:
    server.answers += [well(end=100_000), well(NEWER, '"2"', end=200_000), well(NEWER, '"2"')]
    download(server.url, tmp_path / "images.zip")
    assert (tmp_path / "images.zip").read_bytes() == NEWER
    assert server.asked == [
        (None, None),
        ("bytes=100000-", '"1"'),
        ("bytes=200000-", '"2"'),
    ]


def test_another_length_under_the_same_name_is_not_glued_either(
    server: SimpleNamespace, tmp_path: Path
) -> None:
    server.answers += [well(end=100_000), well(NEWER + b"more"), well(NEWER + b"more")]
    download(server.url, tmp_path / "images.zip")
    assert (tmp_path / "images.zip").read_bytes() == NEWER + b"more"
    assert [wanted for wanted, _ in server.asked] == [None, "bytes=100000-", None]


@pytest.mark.parametrize("etag", ["", 'W/"1"'])
def test_without_a_promise_that_it_is_the_same_it_starts_over(
    server: SimpleNamespace, tmp_path: Path, etag: str
) -> None:
    server.answers += [well(etag=etag, end=100_000), well(etag=etag)]
    download(server.url, tmp_path / "images.zip")
    assert (tmp_path / "images.zip").read_bytes() == CONTENT
    assert server.asked == [(None, None), (None, None)]


def test_a_later_call_goes_on(server: SimpleNamespace, tmp_path: Path) -> None:
    server.answers += [well(end=100_000), failing(503)]
    with pytest.raises(DatNetError, match=r"503 .*Run the same command to resume"):
        download(server.url, tmp_path / "images.zip")
    assert len(server.asked) == 1 + TRIES
    assert left(tmp_path) == {"images.zip.part", "images.zip.part.json"}
    server.asked.clear()
    server.answers[:] = [well()]
    download(server.url, tmp_path / "images.zip")
    assert server.asked == [("bytes=100000-", '"1"')]
    assert (tmp_path / "images.zip").read_bytes() == CONTENT


def test_killed_download_goes_on(server: SimpleNamespace, tmp_path: Path) -> None:
    server.answers += [stalling(100_000), well()]
    code = (
        "import sys, pathlib, datnet.images.downloads as downloads\n"
        "downloads.download(sys.argv[1], pathlib.Path(sys.argv[2]))"
    )
    path = tmp_path / "images.zip"
    killed = subprocess.Popen(
        [sys.executable, "-c", code, server.url, path], stderr=subprocess.DEVNULL
    )
    part = tmp_path / "images.zip.part"
    while not part.exists() or part.stat().st_size < 50_000:
        assert killed.poll() is None
    killed.kill()
    killed.wait()
    held = part.stat().st_size
    download(server.url, path)
    assert path.read_bytes() == CONTENT
    assert server.asked[1] == (f"bytes={held}-", '"1"')


@pytest.mark.parametrize("note", ["", "{", "[]", '{"url": 1}', json.dumps({"total": 9})])
def test_damaged_note_only_costs_time(server: SimpleNamespace, tmp_path: Path, note: str) -> None:
    (tmp_path / "images.zip.part").write_bytes(NEWER[:1000])
    (tmp_path / "images.zip.part.json").write_text(note)
    server.answers.append(well())
    download(server.url, tmp_path / "images.zip")
    assert (tmp_path / "images.zip").read_bytes() == CONTENT


# -------------------------------------------------------------------------------------- giving up


@pytest.mark.parametrize(
    ("answer", "requests", "message"),
    [
        (failing(404), 1, "404 Not Found"),
        (failing(403), 1, "403 Forbidden"),
        (failing(500), TRIES, "500 Internal Server Error"),
        (nonsense, TRIES, "this is not HTTP"),
        (without_ranges(end=1000), TRIES + 1, "ended after 1000 of 300000 bytes"),
        (stalling(0), TRIES, r"no data for 0\.3 s"),
        (well(CONTENT[:5]), 1, "has 5 bytes; expected 300,000"),
    ],
)
def test_it_gives_up_with_the_reason(
    server: SimpleNamespace, tmp_path: Path, answer: Answer, requests: int, message: str
) -> None:
    server.answers.append(answer)
    with pytest.raises(DatNetError, match=message) as failure:
        download(server.url, tmp_path / "images.zip", len(CONTENT))
    assert server.url in str(failure.value)
    assert len(server.asked) == requests
    assert not (tmp_path / "images.zip").exists()


def test_what_does_not_fit_on_the_disk_is_not_begun(
    server: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = downloads.SPARE_BYTES + 200_000
    usage = SimpleNamespace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    server.answers.append(well())
    with pytest.raises(DatNetError, match=r"still needed and .* are free"):
        download(server.url, tmp_path / "images.zip")
    assert left(tmp_path) == set()
    usage.free *= 10
    server.answers[:] = [well(end=150_000), failing(404)]
    with pytest.raises(DatNetError, match="404"):
        download(server.url, tmp_path / "images.zip")
    usage.free = free  # for the half that is missing it is enough
    server.answers[:] = [well()]
    download(server.url, tmp_path / "images.zip")


def test_two_at_once_are_refused(server: SimpleNamespace, tmp_path: Path) -> None:
    server.answers.append(stalling(1000))
    path = tmp_path / "images.zip"

    def first() -> None:
        with contextlib.suppress(DatNetError):
            download(server.url, path)

    thread = threading.Thread(target=first)
    thread.start()
    while not server.asked:
        assert thread.is_alive()
    with pytest.raises(DatNetError, match="another process is fetching"):
        download(server.url, path)
    server.answers[:] = [failing(404)]
    thread.join()


# ------------------------------------------------------------------------------------ public sets


def test_public_sets_are_complete() -> None:
    for name, known in PUBLIC_SETS.items():
        assert "://" in known.terms
        assert known.sha256 or known.checksums_url, name
        assert not known.sha256 or len(known.sha256) == 64
        assert known.file_name.endswith((".zip", ".tar.gz"))


def known(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Put one set of the test in place of the real ones."""
    options = {"title": "Test", "terms": "None.", **changes}
    monkeypatch.setattr(public, "PUBLIC_SETS", {"coco": PublicSet(**options)})


def test_published_checksum_is_checked_at_each_call(
    server: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    known(monkeypatch, url=server.url, size=len(CONTENT), sha256=sha256)
    server.answers.append(well())
    path, how = fetch("coco", tmp_path / "archives")
    assert path == tmp_path / "archives" / "images.zip"
    assert how == "its SHA256 is the published one"
    fetch("coco", tmp_path / "archives")
    assert len(server.asked) == 1  # what is there is not fetched again
    path.write_bytes(NEWER)
    with pytest.raises(DatNetError, match=r"images\.zip is damaged: its SHA256 is .*Remove it"):
        fetch("coco", tmp_path / "archives")


def checksums(sha1: str) -> Answer:
    listing = f'<files><file name="x"/><file name="images.zip"><sha1>{sha1}</sha1></file></files>'

    def answer(request: Request) -> None:
        request.head(200, len(listing))
        request.wfile.write(listing.encode())

    return answer


def test_checksum_that_the_archive_lists(
    server: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, url=server.url, checksums_url=server.url + "_files.xml")
    server.answers += [checksums(hashlib.sha1(CONTENT).hexdigest()), well(), checksums("0" * 40)]
    assert fetch("coco", tmp_path)[1] == "its SHA1 is the one that the Internet Archive lists"
    with pytest.raises(DatNetError, match="is damaged: its SHA1"):
        fetch("coco", tmp_path)


@pytest.mark.parametrize("lists", [failing(404), well(b"<files>"), well(b"<files/>"), nonsense])
def test_without_a_checksum_the_archive_is_read_through(
    server: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: Answer
) -> None:
    known(monkeypatch, url=server.url, checksums_url=server.url + "_files.xml")
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
        for name in ("a", "b", "c"):
            archive.writestr(f"{name}.jpg", f"picture {name}" * 10)
    content = bytearray((tmp_path / "made.zip").read_bytes())
    server.answers += [lists, well(bytes(content))]
    assert "every file in it agrees with its own" in fetch("coco", tmp_path)[1]
    content[content.index(b"picture b")] ^= 1
    (tmp_path / "images.zip").write_bytes(content)
    server.answers[:] = [lists]
    assert "1 files in it are damaged and will be skipped: b.jpg" in fetch("coco", tmp_path)[1]


def test_damaged_gzip_of_a_mirror_is_refused(
    server: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, url=server.url, checksums_url=server.url)
    mirror = server.url.replace("images.zip", "images.tar.gz")
    server.answers.append(well(b"\x1f\x8b\x08 cut short"))
    with pytest.raises(DatNetError, match=r"images\.tar\.gz is damaged"):
        fetch("coco", tmp_path, mirror)
    assert len(server.asked) == 1  # the list is of the original, not of a mirror


def test_what_is_no_address_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatNetError, match="not an address"):
        download("my.university/coco.zip", tmp_path / "coco.zip")


def test_command_shows_the_terms_first(server: SimpleNamespace, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "datnet", "data", "fetch", "coco", "--url", server.url]
    server.answers.append(failing(404))
    done = subprocess.run([*command, "-o", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "terms of Flickr" in " ".join(done.stdout.split())
    assert done.stderr.splitlines()[-1].startswith(f"error: {server.url} cannot be fetched: 404")
    assert "Traceback" not in done.stderr
