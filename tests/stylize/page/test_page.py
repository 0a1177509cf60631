"""The page: its limits and messages over HTTP, and a visit with a real browser."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datnet import Stylizer
from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.images.embedded import SampleImages
from datnet.images.pictures import save_picture
from datnet.networks.microast import MicroAST
from datnet.stylize.options import StylizeOptions
from datnet.stylize.page import folder as page_folder
from datnet.stylize.page.limits import Limits
from datnet.stylize.page.origin import origins
from datnet.stylize.page.painting import Wish, paint, read_upload
from datnet.stylize.page.server import check_address, is_loopback, served
from datnet.stylize.page.settings import Settings, settings_of
from datnet.zoo.network_file import NetworkDescription, save_network
from tests.helpers.pixel_network import PixelNetwork, write_pixel_network

GRADIO = pytest.mark.skipif(find_spec("gradio") is None, reason="Gradio is not installed")


def write_network(name: str, seed: int, path: Path) -> Path:
    """A network of random weights, large enough for photo and painting to show in its results."""
    torch.manual_seed(seed)
    microast = MicroAST()
    with torch.no_grad():
        for parameter in microast.parameters():
            parameter.mul_(2)
    training = {"steps": 3, "images_per_step": 2, "data": {"content_dir": "/secret/birds"}}
    target = {"_target_": "datnet.networks.microast.MicroAST"}
    save_network(microast, NetworkDescription(name, target, {}, training), path)
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network("tiny", 0, tmp_path_factory.mktemp("network") / "network.safetensors")


@pytest.fixture(scope="module")
def stylizer(network: Path) -> Stylizer:
    return Stylizer(network, "cpu")


@pytest.fixture(scope="module")
def other_stylizer(network: Path) -> Stylizer:
    return Stylizer(write_network("other", 1, network.with_name("other.safetensors")), "cpu")


@pytest.fixture(scope="module")
def examples(pictures: Path) -> SampleImages:
    content, style = pictures / "content", pictures / "style"
    return SampleImages(content, style, content, style)


def image_bytes(width: int, height: int, image_format: str = "PNG") -> bytes:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, image_format)
    return file.getvalue()


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


# ------------------------------------------------------------------------ without Gradio


def test_paint_writes_two_files_of_the_asked_size(stylizer, pictures, tmp_path):
    photo = pictures / "content" / "0.png"  # 64 × 48
    wish = Wish(photo, [pictures / "style" / "0.png"], StylizeOptions(size=96))
    stylized = paint(stylizer, wish, 1e6, tmp_path)
    before, after = Image.open(stylized.before), Image.open(stylized.after)
    assert before.size == after.size == (128, 96)
    assert after.format == "PNG"
    enlarged = Image.open(photo).convert("RGB").resize((128, 96), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(before, float) - np.asarray(enlarged, float)).mean() < 10
    assert np.abs(np.asarray(after, float) - np.asarray(enlarged, float)).mean() > 10


def test_weights_of_the_paintings_count(stylizer, pictures, tmp_path):
    def result(weights: list[float]) -> np.ndarray:
        folder = tmp_path / str(weights)
        folder.mkdir()
        paintings = [pictures / "style" / f"{number}.png" for number in (0, 1)]
        wish = Wish(pictures / "content" / "0.png", paintings, StylizeOptions(weights=weights))
        return np.asarray(Image.open(paint(stylizer, wish, 1e6, folder).after), float)

    assert np.abs(result([0.9, 0.1]) - result([0.1, 0.9])).mean() > 0.1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"only text" * 50, "not an image in a known format"),
        (b"", "the file is empty"),
        (image_bytes(1, 1), "too small: it has 1 × 1 pixels"),
        (image_bytes(200, 100, "JPEG")[:2000], "damaged"),
    ],
)
def test_useless_upload_is_named_without_the_servers_path(content, message, tmp_path):
    path = tmp_path / "upload.jpg"
    path.write_bytes(content)
    with pytest.raises(DatNetError, match=message) as error:
        read_upload(path, "photo", None)
    assert str(error.value).startswith("The photo ")
    assert str(tmp_path) not in str(error.value)


def test_removed_upload_asks_for_it_again(tmp_path):
    with pytest.raises(DatNetError, match="Please add it again"):
        read_upload(tmp_path / "gone.jpg", "painting", None)


def test_too_many_pixels_are_refused_before_they_are_painted(stylizer, pictures, tmp_path):
    long = tmp_path / "long.png"
    Image.new("RGB", (3200, 32)).save(long)
    painting = pictures / "style" / "0.png"
    with pytest.raises(DatNetError, match=r"photo would have 6\.6 million pixels.*at most 1 "):
        paint(stylizer, Wish(long, [painting], StylizeOptions(size=256)), 1e6, tmp_path)
    photo = pictures / "content" / "0.png"
    with pytest.raises(DatNetError, match=r"painting would have 0\.1 million pixels"):
        paint(stylizer, Wish(photo, [long], StylizeOptions(size=96)), 9e4, tmp_path)


def test_a_click_shows_where_each_level_of_attention_looks(pictures, tmp_path):
    attentive = Stylizer(write_pixel_network(tmp_path / "network.safetensors"), "cpu")
    photo, painting = pictures / "content" / "0.png", pictures / "style" / "0.png"
    (tmp_path / "shown").mkdir()
    ((file, caption),) = origins(attentive, photo, painting, 40, (1.0, 0.5), tmp_path / "shown")
    assert Image.open(file).size == (53, 40)
    assert caption.startswith("pixels: ")


@pytest.mark.parametrize(
    "change",
    [{"alpha": 2}, {"colors": "none"}, {"network": "unknown"}, {"mix": "x"}, {"more": 1}],
)
def test_settings_that_the_page_cannot_have_are_ignored(change, tmp_path):
    settings = Settings(0.5, 1, "The painting's", "512", "Fine", "tiny")
    path = tmp_path / "result.png"
    image = Image.new("RGB", (40, 40))
    save_picture(image, path, settings=settings.as_text())
    assert settings_of(path, ["tiny"], 10**6) == settings
    save_picture(image, path, settings=json.dumps({**json.loads(settings.as_text()), **change}))
    assert settings_of(path, ["tiny"], 10**6) is None
    save_picture(image, path)
    assert settings_of(path, ["tiny"], 10**6) is None


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["datnet", "serve", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "nowhere.invalid"), "cannot listen on --host nowhere.invalid"),
        (("--checkpoint", "nothing.safetensors"), "nothing.safetensors does not exist"),
    ],
)
def test_bad_options_get_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr("datnet.errors.find_spec", lambda name: object())
    assert call(monkeypatch, "--port", free_port(), *arguments) == 1
    assert message in capsys.readouterr().err


def test_missing_gradio_is_named_with_the_cure(monkeypatch, capsys):
    monkeypatch.setattr("datnet.errors.find_spec", lambda name: None)
    assert call(monkeypatch) == 1
    assert "pip install 'datnet[serve]'" in capsys.readouterr().err


def test_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(DatNetError, match=f"port {port} is in use"):
            check_address("127.0.0.1", port)
    check_address("127.0.0.1", port)


def test_only_loopback_addresses_go_without_warning():
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "example.org")))


def ipv6() -> bool:
    """Whether this machine has it."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@GRADIO
@pytest.mark.skipif(not ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6_addresses(host, stylizer, examples):
    port = free_port()
    check_address(host, port)
    with served({"tiny": stylizer}, Limits(), examples, host, port) as address:
        assert address == f"http://[{host}]:{port}/"
        assert "paint" in Visitor(f"http://[::1]:{port}/").functions


# ------------------------------------------------------------------------ over HTTP


class Visitor:
    """Sends the requests of a browser, without a browser."""

    def __init__(self, address: str) -> None:
        import httpx

        self.client = httpx.Client(base_url=address, trust_env=False, timeout=60)
        self.page = self.client.get("config").json()
        functions = self.page["dependencies"]
        self.functions = {each["api_name"]: each["id"] for each in functions}

    def upload(self, name: str, content: bytes) -> dict[str, Any]:
        answer = self.client.post("gradio_api/upload", files={"files": (name, content)})
        answer.raise_for_status()
        return self.file(answer.json()[0])

    @staticmethod
    def file(path: str | Path) -> dict[str, Any]:
        return {"path": str(path), "meta": {"_type": "gradio.FileData"}}

    def call(self, function: str, data: list[Any], session: str | None = None) -> tuple[int, str]:
        """Ask for what a control does; the status and the name of the session, by default new."""
        session = session or uuid.uuid4().hex
        body = {"data": data, "fn_index": self.functions[function], "session_hash": session}
        return self.client.post("gradio_api/queue/join", json=body).status_code, session

    def join(
        self, *pictures: Any, session: str | None = None, network: str = "tiny"
    ) -> tuple[int, str]:
        """Press the button with photo, painting and perhaps a second one, like :meth:`call`."""
        second = [] if len(pictures) == 3 else [None]
        controls = [0.5, 1, "The painting's", "256 (quick)", "As the painting", network]
        return self.call("paint", [*pictures, *second, *controls, None], session)

    def messages(self, session: str) -> Iterator[dict[str, Any]]:
        """What the page says, up to the end of its work."""
        with self.client.stream(
            "GET", "gradio_api/queue/data", params={"session_hash": session}
        ) as events:
            for line in events.iter_lines():
                message = json.loads(line.removeprefix("data:")) if line else {}
                yield message
                if message.get("msg") == "process_completed":
                    return
        raise AssertionError("the page ended the connection")

    def example(self, session: str | None = None) -> dict[str, Any]:
        """Click on the first example of a photograph."""
        _, session = self.call("load_example", [0], session)
        *_, end = self.messages(session)
        example: dict[str, Any] = end["output"]["data"][0]["value"]
        return example

    def outcome(self, session: str) -> dict[str, Any]:
        """Wait for a picture, {"url": …}, or a message, {"error": …}."""
        *_, end = self.messages(session)
        return end["output"]["data"][1]["value"] if end["success"] else end["output"]

    def paint(self, *pictures: Any, session: str | None = None) -> dict[str, Any]:
        status, session = self.join(*pictures, session=session)
        assert status == 200
        return self.outcome(session)


@pytest.fixture(scope="module")
def address(stylizer: Stylizer, other_stylizer: Stylizer, examples: SampleImages) -> Iterator[str]:
    pytest.importorskip("gradio")
    limits = Limits(upload_megabytes=0.5)
    stylizers = {"tiny": stylizer, "other": other_stylizer}
    with served(stylizers, limits, examples, "127.0.0.1", free_port()) as address:
        yield address


@pytest.fixture
def visitor(address: str) -> Visitor:
    return Visitor(address)


def test_a_picture_goes_in_and_another_one_comes_out(visitor):
    photo = visitor.upload("photo.png", image_bytes(80, 64))
    result = visitor.paint(photo, visitor.upload("painting.jpg", image_bytes(90, 70, "JPEG")))
    assert result["orig_name"] == "photo__painting.png"
    stylized = Image.open(io.BytesIO(visitor.client.get(result["url"]).content))
    assert stylized.format == "PNG"
    assert stylized.size == (320, 256)


def test_the_settings_of_a_result_are_restored_when_it_is_dropped(visitor):
    photo = visitor.upload("photo.png", image_bytes(80, 64))
    painting = visitor.upload("painting.png", image_bytes(90, 70))
    result = visitor.client.get(visitor.paint(photo, painting)["url"]).content
    dropped = visitor.upload("result.png", result)
    _, session = visitor.call("check_photo", [dropped])
    *_, end = visitor.messages(session)
    cleared, *controls = end["output"]["data"]
    assert cleared is None
    assert [each.get("value", each) if isinstance(each, dict) else each for each in controls] == [
        *(0.5, 1, "The painting's", "256 (quick)", "As the painting", "tiny")
    ]
    again = Image.open(io.BytesIO(result))
    assert json.loads(again.info["datnet"])["network"] == "tiny"


def test_results_of_this_visit_and_of_all_networks(visitor):
    photo = visitor.upload("photo.png", image_bytes(80, 64))
    painting = visitor.upload("painting.png", image_bytes(90, 70))
    controls = [0.5, 1, "The painting's", "256 (quick)", "Fine", "tiny"]
    _, session = visitor.call("compare", [photo, painting, None, *controls, None])
    shown = [
        message["output"]["data"][0]
        for message in visitor.messages(session)
        if message.get("msg") == "process_generating"
    ]
    assert len(shown) == 2
    assert [each["caption"].partition(",")[0] for each in shown[0]] == ["tiny"]


def test_heic_becomes_what_a_browser_shows(visitor, tmp_path):
    pytest.importorskip("pillow_heif")
    Image.new("RGB", (80, 64), "red").save(tmp_path / "a.heic", "HEIF")
    upload = visitor.upload("a.heic", (tmp_path / "a.heic").read_bytes())
    _, session = visitor.call("check", [upload])
    *_, end = visitor.messages(session)
    shown = visitor.client.get(end["output"]["data"][0]["url"]).content
    assert Image.open(io.BytesIO(shown)).format == "JPEG"


def test_mistakes_get_a_message_and_no_stack_trace(visitor):
    picture = visitor.upload("picture.png", image_bytes(80, 64))
    text = visitor.upload("text.jpg", b"only text" * 50)
    assert "photo cannot be used: this is not" in visitor.paint(text, picture)["error"]
    dot = visitor.upload("dot.png", image_bytes(1, 1))
    assert "painting is too small" in visitor.paint(picture, dot)["error"]
    assert "no photo yet" in visitor.paint(None, picture)["error"]
    assert "no painting yet" in visitor.paint(picture, None)["error"]


def test_files_that_were_not_uploaded_cannot_be_used(visitor):
    picture = visitor.upload("picture.png", image_bytes(80, 64))
    outcome = visitor.paint(visitor.file(Path(__file__).parents[3] / "README.md"), picture)
    assert outcome["error"] == "Only uploaded pictures can be used."  # no word about what is there
    assert visitor.client.get(f"gradio_api/file={Path(__file__)}").status_code == 403


def test_nor_can_those_that_are_not_called_files(visitor, pictures):
    uploaded = visitor.upload("picture.png", image_bytes(80, 64))
    picture = pictures / "content" / "0.png"
    outside = {"path": str(picture)}
    disguised = {"path": f"{Path(uploaded['path']).parent}{'/..' * 9}{picture}"}
    for wish in (
        (outside, uploaded),
        (uploaded, outside),
        (uploaded, uploaded, outside),
        (disguised, uploaded),
    ):
        assert visitor.paint(*wish).get("error") == "Only uploaded pictures can be used."


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
    for wish in ((address, picture), (picture, address), (picture, nested)):
        assert "Only uploaded pictures" in visitor.paint(*wish)["error"]
    assert fetched == []


def test_examples_can_be_used_and_change_nothing_of_that(visitor, fetched):
    session = uuid.uuid4().hex
    example = visitor.example(session)
    assert "url" in visitor.paint(example, example, session=session)
    # Gradio has recreated the component for this session.
    address = visitor.file("https://example.org/huge.png")
    assert "Only uploaded pictures" in visitor.paint(address, example, session=session)["error"]
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


def test_nobody_goes_past_the_queue(visitor):
    picture = visitor.upload("picture.png", image_bytes(80, 64))
    wish = {"data": [picture, picture, None, 0.5, 1, "The painting's", "256 (quick)", "tiny"]}
    for path in ("run", "api"):
        answer = visitor.client.post(f"gradio_api/{path}/paint", json=wish)
        assert "join the queue" in answer.text


def test_long_names_of_many_bytes_are_cut(visitor):
    picture = visitor.upload("絵" * 60 + ".png", image_bytes(80, 64))
    assert "url" in visitor.paint(picture, picture)


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


def test_no_upload_is_taken_while_the_folder_is_full(visitor, monkeypatch):
    picture = image_bytes(80, 64)
    folder = Path(visitor.upload("picture.png", picture)["path"]).parents[1]
    used = sum(path.stat().st_size for path in folder.rglob("*"))
    monkeypatch.setattr(page_folder, "FULL_BYTES", used + 1)
    visitor.upload("another.png", picture)
    answer = visitor.client.post("gradio_api/upload", files={"files": ("third.png", picture)})
    assert answer.status_code == 507


@GRADIO
def test_what_is_old_is_removed_but_for_the_examples(stylizer, examples, monkeypatch):
    monkeypatch.setattr(page_folder, "KEPT_SECONDS", 0)
    monkeypatch.setattr(page_folder, "TIDYING_SECONDS", 0.1)
    with served({"tiny": stylizer}, Limits(), examples, "127.0.0.1", free_port()) as address:
        visitor = Visitor(address)
        upload = visitor.upload("picture.png", image_bytes(80, 64))
        wait_for(lambda: not Path(upload["path"]).exists())
        assert "here for too long" in visitor.paint(upload, upload)["error"]
        example = visitor.example()
        assert Path(example["path"]).exists()


def test_page_tells_of_the_network_but_not_of_the_servers_folders(visitor):
    page = json.dumps(visitor.page)
    assert "3 steps of 2 pairs, on the folders birds" in page
    assert "secret" not in page


class Patient:
    """A Stylizer that waits until it may go on."""

    def __init__(self, stylizer: Stylizer) -> None:
        self.description = stylizer.description
        self.stylizer = stylizer
        self.may_go_on = threading.Event()
        self.running = threading.Semaphore(0)

    def stylize(self, *arguments: Any, **settings: Any) -> Image.Image:
        self.running.release()
        assert self.may_go_on.wait(60)
        return self.stylizer.stylize(*arguments, **settings)


@GRADIO
def test_full_queue_says_busy_and_files_go_when_the_page_does(stylizer, examples):
    patient = Patient(stylizer)
    limits = Limits(waiting=2)
    with served({"tiny": patient}, limits, examples, "127.0.0.1", free_port()) as address:  # type: ignore[dict-item]
        visitor = Visitor(address)
        picture = visitor.upload("picture.png", image_bytes(80, 64))
        accepted = [visitor.join(picture, picture)]
        assert patient.running.acquire(timeout=60)  # one is processed, the next two wait
        accepted += [visitor.join(picture, picture) for _ in range(2)]
        assert [status for status, _ in accepted] == [200] * 3
        assert visitor.join(picture, picture)[0] == 503
        assert not patient.running.acquire(blocking=False)
        patient.may_go_on.set()
        assert all("url" in visitor.outcome(session) for _, session in accepted)
        assert Path(picture["path"]).exists()
    assert not Path(picture["path"]).exists()
    assert not Path(picture["path"]).parents[1].exists()


@GRADIO
@pytest.mark.slow
def test_ctrl_c_ends_the_command_cleanly(network, tmp_path):
    command_line = [sys.executable, "-m", "datnet", "serve", "--checkpoint", str(network)]
    with subprocess.Popen(
        [*command_line, "--port", str(free_port()), "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as server:
        assert server.stdout is not None
        assert "The page is at http://127.0.0.1:" in server.stdout.readline()
        server.send_signal(signal.SIGINT)
        try:
            output, errors = server.communicate(timeout=60)
        finally:
            server.kill()  # or the test would wait for ever where it fails
    assert (server.returncode, output) == (0, "stopped\n"), errors
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


ENDLESS_NETWORK = """
from pathlib import Path
import torch
from tests.helpers.pixel_network import PixelNetwork, write_pixel_network

class EndlessNetwork(PixelNetwork):
    def generate_mixed(self, *arguments, **settings):
        Path("painting").touch()
        while True:
            torch.rand(500, 500) @ torch.rand(500, 500)
"""


@GRADIO
@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopping_while_a_picture_is_painted_is_as_clean(stop, tmp_path):
    (tmp_path / "endless_network.py").write_text(ENDLESS_NETWORK)
    target = {"_target_": "endless_network.EndlessNetwork"}
    network = tmp_path / "network.safetensors"
    save_network(PixelNetwork(), NetworkDescription("endless", target, {}), network)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    port = free_port()
    command_line = [sys.executable, "-m", "datnet", "serve", "--checkpoint", str(network)]
    with subprocess.Popen(
        [*command_line, "--port", str(port), "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)]),
            "TMPDIR": str(temporary),
        },
    ) as server:
        try:
            assert server.stdout is not None
            assert "The page is at" in server.stdout.readline()
            visitor = Visitor(f"http://127.0.0.1:{port}")
            picture = visitor.upload("picture.png", image_bytes(80, 64))
            visitor.join(picture, picture, network="endless")
            wait_for((tmp_path / "painting").exists)
            server.send_signal(stop)
            output, errors = server.communicate(timeout=60)
        finally:
            server.kill()  # or the test would wait for ever where it fails
    assert (server.returncode, output) == (0, "stopped\n"), errors
    assert errors == ""
    assert not list(temporary.iterdir())


# ------------------------------------------------------------------------ in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("selenium")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no browser here; Debian: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument("--no-proxy-server")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = webdriver.ChromeService(driver)
    with webdriver.Chrome(options=options, service=service) as browser:
        yield browser


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")


# Width, height and a corner of the photograph (0) or the result (1); null before both are shown.
PIXELS = """
const images = [...document.querySelectorAll("#result img")].filter(each => each.naturalWidth);
if (images.length < 2) return null;
const image = images[arguments[0]];
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
canvas.getContext("2d").drawImage(image, 0, 0);
return [image.naturalWidth, image.naturalHeight,
        Array.from(canvas.getContext("2d").getImageData(0, 0, 32, 32).data)];
"""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_visit_with_a_browser(width, height, browser, address, tmp_path):
    find = browser.find_elements
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(address)
    button = wait_for(lambda: find("id", "paint"))[0]

    text = tmp_path / "text.jpg"
    text.write_text("only text")
    wait_for(lambda: find("css selector", "#photo input[type=file]"))[0].send_keys(str(text))
    wait_for(lambda: "not an image in a known format" in browser.page_source)

    photo = tmp_path / "photo.png"
    photo.write_bytes(image_bytes(80, 64))
    wait_for(lambda: find("css selector", "#photo input[type=file]"))[0].send_keys(str(photo))
    wait_for(lambda: find("css selector", "#photo img"))
    find("css selector", "#painting-examples button")[0].click()
    wait_for(lambda: find("css selector", "#painting img"))
    button.click()
    *before_size, before = wait_for(lambda: browser.execute_script(PIXELS, 0))
    *after_size, after = browser.execute_script(PIXELS, 1)
    assert before_size == after_size == [640, 512]
    assert np.abs(np.array(before) - np.array(after)).mean() > 5
    assert find("id", "download")[0].is_enabled()

    place = "return document.getElementById('result').getBoundingClientRect().toJSON()"
    wait_for(lambda: browser.execute_script(place)["bottom"] <= height + 1)
    assert browser.execute_script(place)["top"] >= 0
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert any(url.startswith(address) for url in asked)
    assert all(url.startswith((address, "data:", "blob:")) for url in asked)


@pytest.mark.slow
def test_a_second_painting_and_another_network_in_a_browser(browser, address, tmp_path):
    find = browser.find_elements
    screen = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(address)
    button = wait_for(lambda: find("id", "paint"))[0]

    def paint(expected: Callable[[np.ndarray], bool]) -> np.ndarray:
        """Press the button and wait until the result is as expected."""
        button.click()

        def result() -> list[np.ndarray]:
            stylized = browser.execute_script(PIXELS, 1)
            pixels = np.array(stylized[2], float) if stylized else None
            return [pixels] if pixels is not None and expected(pixels) else []

        return wait_for(result)[0]

    def differs(other: np.ndarray) -> Callable[[np.ndarray], bool]:
        return lambda pixels: np.abs(pixels - other).mean() > 0.1

    photo = tmp_path / "photo.png"
    photo.write_bytes(image_bytes(80, 64))
    wait_for(lambda: find("css selector", "#photo input[type=file]"))[0].send_keys(str(photo))
    wait_for(lambda: find("css selector", "#photo img"))
    find("css selector", "#painting-examples button")[0].click()
    wait_for(lambda: find("css selector", "#painting img"))
    one_painting = paint(lambda pixels: True)

    find("css selector", "#mixing button")[0].click()
    second = wait_for(lambda: find("css selector", "#second-examples button"))[1]
    wait_for(second.is_displayed)
    second.click()
    wait_for(lambda: find("css selector", "#second img"))
    paint(differs(one_painting))
    share = find("css selector", "#mix input[type=number]")[0]
    share.clear()
    share.send_keys("0", "\ue004")  # Tab
    slider = find("css selector", "#mix input[type=range]")[0]
    wait_for(lambda: slider.get_attribute("value") == "0")
    paint(lambda pixels: np.array_equal(pixels, one_painting))

    find("css selector", "#network input[value=other]")[0].click()
    paint(differs(one_painting))
