from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from datnet.stylize.page.limits import Limits
from datnet.stylize.page.server import served
from tests.helpers.visitor import GRADIO, Visitor, free_port, image_bytes


def test_files_that_were_not_uploaded_cannot_be_used(visitor):
    picture = visitor.upload("picture.png", image_bytes(80, 64))
    outcome = visitor.stylize(visitor.file(Path(__file__).parents[3] / "README.md"), picture)
    assert outcome["error"] == "Only uploaded pictures can be used."  # no word about what is there
    assert visitor.client.get(f"gradio_api/file={Path(__file__)}").status_code == 403


def test_nor_can_those_that_are_not_called_files(visitor, pictures):
    uploaded = visitor.upload("picture.png", image_bytes(80, 64))
    picture = pictures / "content" / "0.png"
    outside = {"path": str(picture)}
    disguised = {"path": f"{Path(uploaded['path']).parent}{'/..' * 9}{picture}"}
    for uploads in (
        (outside, uploaded),
        (uploaded, outside),
        (uploaded, uploaded, outside),
        (disguised, uploaded),
    ):
        assert visitor.stylize(*uploads).get("error") == "Only uploaded pictures can be used."


@pytest.mark.parametrize("name", ["0.png", "nothing.png"])
def test_nor_is_it_told_whether_they_are_pictures(name, visitor, pictures):
    _, session = visitor.call("check", [{"path": str(pictures / "content" / name)}])
    *_, end = visitor.messages(session)
    assert end["output"].get("error") == "Only uploaded pictures can be used."


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that Gradio fetches while a test runs."""
    addresses: list[str] = []

    async def fetch(address: str, cache_dir: str) -> str:
        addresses.append(address)
        return address

    monkeypatch.setattr("gradio.processing_utils.async_ssrf_protected_download", fetch)
    return addresses


def test_nothing_is_fetched_that_a_visitor_names(visitor, fetched):
    picture = visitor.upload("picture.png", image_bytes(80, 64))
    address = visitor.file("https://example.org/huge.png")
    nested = {"path": picture["path"], "inside": [address]}
    for uploads in ((address, picture), (picture, address), (picture, nested)):
        assert "Only uploaded pictures" in visitor.stylize(*uploads)["error"]
    assert fetched == []


def test_examples_can_be_used_and_change_nothing_of_that(visitor, fetched):
    session = uuid.uuid4().hex
    example = visitor.example(session)
    assert "url" in visitor.stylize(example, example, session=session)
    # Gradio has recreated the component for this session.
    address = visitor.file("https://example.org/huge.png")
    assert "Only uploaded pictures" in visitor.stylize(address, example, session=session)["error"]
    assert fetched == []


@pytest.fixture
def relayed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses whose content Gradio passes on while a test runs."""
    from starlette.responses import Response

    addresses: list[str] = []

    async def relay(address: str, request: Any) -> Response:
        addresses.append(address)
        return Response(b"huge")

    monkeypatch.setattr("gradio.routes.secure_url_stream_response", relay)
    return addresses


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "spelling",
    [
        "file=https://example.org/huge.bin",
        "file=http://example.org/huge.bin",
        "file=http%3A%2F%2Fexample.org/huge.bin",
        "file=%68ttps://example.org/huge.bin",
        "file%3Dhttps://example.org/huge.bin",
        "file=HTTPS://example.org/huge.bin",
        "file/https://example.org/huge.bin",
    ],
)
def test_server_is_no_relay(spelling, method, visitor, relayed):
    assert visitor.client.request(method, f"gradio_api/{spelling}").status_code == 403
    assert relayed == []


@GRADIO
def test_nor_behind_a_proxy(stylizer, examples, relayed, monkeypatch):
    monkeypatch.setenv("GRADIO_ROOT_PATH", "/art")  # as Gradio's guide to proxies says
    with served({"tiny": stylizer}, Limits(), examples, "127.0.0.1", free_port()) as address:
        client = Visitor(address).client
        for prefix in ("", "art/"):
            answer = client.get(f"{prefix}gradio_api/file=https://example.org/huge.bin")
            assert answer.status_code == 403
    assert relayed == []


@pytest.mark.parametrize("path", ["process_recording", "component_server", "component_server/"])
def test_files_go_nowhere_but_to_the_uploads(path, visitor):
    answer = visitor.client.post(f"gradio_api/{path}", files={"video": ("a.mp4", b"film")})
    assert answer.status_code == 403


def test_pictures_of_the_page_are_shown_whatever_they_are_called(visitor):
    for name in ("picture.png", "component_server.png", "https.png"):
        picture = image_bytes(80, 64)
        path = visitor.upload(name, picture)["path"]
        assert visitor.client.get(f"gradio_api/file={path}").content == picture


def test_too_large_a_file_is_refused(visitor):
    answer = visitor.client.post("gradio_api/upload", files={"files": ("a.png", bytes(600_000))})
    assert answer.status_code == 413
    assert "exceeded maximum allowed size" in answer.text


def test_too_many_files_at_once_are_refused(visitor):
    files = [("files", (f"{number}.png", bytes(400_000))) for number in range(5)]
    answer = visitor.client.post("gradio_api/upload", files=files)
    assert answer.status_code == 413
    unknown = visitor.client.post("gradio_api/upload", content=iter([b"x"]))
    assert unknown.status_code == 413
