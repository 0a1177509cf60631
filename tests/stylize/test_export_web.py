"""The static page of `datnet export --web`, in a real browser and from what npm fetches."""

from __future__ import annotations

import base64
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datnet import Stylizer
from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.stylize import export_web
from datnet.stylize.export_web import (
    PAGE_FILES,
    RUNTIME_FILES,
    check_web_folder,
    fetch_runtime,
    read_runtime,
    write_page,
)
from tests.helpers.browser import assert_no_request_left, chromium, set_screen
from tests.helpers.pixel_network import write_pixel_network
from tests.helpers.visitor import wait_for


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AdaIN on pixels: photo, painting and strength all show in its results."""
    return write_pixel_network(tmp_path_factory.mktemp("network") / "network.safetensors")


@pytest.fixture(scope="module")
def page(network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, written by the command; skips where onnxruntime-web cannot be fetched."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    try:
        runtime = fetch_runtime()
    except DatNetError as error:
        pytest.skip(str(error))
    package = tmp_path_factory.mktemp("package")
    for name, content in runtime.items():
        (package / name).write_bytes(content)
    folder = tmp_path_factory.mktemp("web") / "page"
    arguments = [str(network), "--web", str(folder), "--onnxruntime-web", str(package)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["datnet", "export", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code
    return folder


FAKED = "Object.defineProperty(navigator, 'gpu', {{value: {{requestAdapter: {}}}}});"
NEVER = "() => new Promise(() => {})"
STALLING = f"{{info: {{}}, features: new Set(), limits: {{}}, requestDevice: {NEVER}}}"

# What goes before the worker, and its times in seconds for adapter, preparation and picture: what
# WebGPU does on some machines, and one in software that counts as one in hardware and gives no
# answer from the second picture on.
WEBGPU = {
    "rejects": (FAKED.format("() => Promise.reject(new Error('no GPU'))"), (10, 60, 180)),
    "hangs": (FAKED.format(NEVER), (0.5, 60, 180)),
    "stalls": (FAKED.format(f"async () => ({STALLING})"), (10, 0.5, 180)),
    "software": (
        f"""
let pictures = 0;
Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", {{get: () => false}});
addEventListener("message", () => {{
    pictures += 1;
    if (pictures === 2) GPUBuffer.prototype.mapAsync = {NEVER};
}});
""",
        (10, 60, "{valueOf: () => pictures === 1 ? 180 : 0.5}"),
    ),
}
LIMITS = ("FOR_ADAPTER = 10", "TO_PREPARE = 60", "TO_STYLIZE = 180")


@pytest.fixture(scope="module")
def address(page: Path) -> Iterator[str]:
    """The page, and below /NAME/ the page with a WebGPU of this name."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            _, *folder, file = self.path.split("/")
            self.path = f"/{file}"
            if not folder or file != "worker.js":
                return super().do_GET()
            prelude, limits = WEBGPU[folder[0]]
            worker = (page / file).read_text()
            for limit, seconds in zip(LIMITS, limits, strict=True):
                assert limit in worker
                worker = worker.replace(limit, f"{limit.partition(' ')[0]} = {seconds}")
            content = f"{prelude}\n{worker}".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/javascript")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=page))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """With WebGPU in software."""
    switches = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
    with chromium(switches=switches) as browser:
        browser.set_script_timeout(60)
        yield browser


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of a photograph and a painting."""
    folder = tmp_path_factory.mktemp("pair")
    files = folder / "photo.png", folder / "painting.png"
    for seed, (file, size) in enumerate(zip(files, ((160, 128), (128, 144)), strict=True), 1):
        noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(file)
    return files


RESULT = "return document.getElementById('after').toDataURL('image/png').split(',')[1]"


def stylize_in(browser: Any, expected: Image.Image) -> str:
    """Press the button, compare the result, and return what the page says."""
    status = browser.find_element("id", "progress")
    browser.find_element("id", "stylize").click()
    wait_for(lambda: "Done" in status.text)
    data = base64.b64decode(browser.execute_script(RESULT))
    result = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)
    assert result.shape == np.asarray(expected).shape
    error = np.square(result - np.asarray(expected)).mean()
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 40
    said: str = status.text
    return said


@pytest.mark.slow
@pytest.mark.network  # npm fetches onnxruntime-web, unless its cache has it
def test_the_page_stylizes_like_the_network(network, address, browser, pair, tmp_path):
    photo, painting = pair
    (tmp_path / "text.png").write_text("only text")
    set_screen(browser, 390, 844)
    browser.get(address)
    find = browser.find_element
    status = find("id", "progress")
    button = find("id", "stylize")
    wait_for(lambda: "Ready" in status.text)
    assert not button.is_enabled()

    choose = {
        name: find("css selector", f"#{name} input").send_keys for name in ("photo", "painting")
    }
    choose["photo"](str(tmp_path / "text.png"))
    wait_for(lambda: "text.png is not a picture" in status.text)
    choose["photo"](str(photo))
    choose["painting"](str(painting))
    wait_for(button.is_enabled)
    stylizer = Stylizer(network, device="cpu")
    for alpha in (1.0, 0.5):
        browser.execute_script(
            "const slider = document.getElementById('alpha'); slider.value = arguments[0];"
            "slider.dispatchEvent(new Event('input'))",
            alpha,
        )
        # WebGPU in software is slower than WebAssembly.
        assert "(WebAssembly)" in stylize_in(browser, stylizer(photo, painting, alpha=alpha))
    assert find("id", "download").get_attribute("href").startswith("blob:")
    assert find("id", "percent").text == "50 %"
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    unlabeled = browser.execute_script(
        "return [...document.querySelectorAll('input, select, button')]"
        ".filter((each) => !each.labels?.length && !each.textContent.trim()).length"
    )
    assert unlabeled == 0
    assert_no_request_left(browser, address)
    outside = "fetch('http://127.0.0.1:9/').then(arguments[0], () => arguments[0]('refused'))"
    assert browser.execute_async_script(outside) == "refused"


ADAPTER = """
navigator.gpu.requestAdapter().then(each => arguments[0](each !== null), () => arguments[0](false));
"""


def open_with(browser: Any, address: str, kind: str, pair: tuple[Path, Path]) -> str:
    """Open the page with a kind of WebGPU and give it a pair; returns what it is ready with."""
    browser.get_log("browser")
    browser.get(f"{address}{kind}/")
    status = browser.find_element("id", "progress")
    ready: str = wait_for(lambda: "Ready" in status.text and status.text)
    for name, file in zip(("photo", "painting"), pair, strict=True):
        browser.find_element("css selector", f"#{name} input").send_keys(str(file))
    wait_for(browser.find_element("id", "stylize").is_enabled)
    return ready


def warned(browser: Any, words: str) -> bool:
    return any(words in entry["message"] for entry in browser.get_log("browser"))


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("rejects", "no GPU"),
        ("hangs", "no answer within 0.5 s"),
        ("stalls", "no answer within 0.5 s"),
    ],
)
def test_webassembly_takes_over_from_a_webgpu_that(
    kind, reason, network, address, browser, pair
) -> None:
    assert "(WebAssembly)" in open_with(browser, address, kind, pair)
    assert warned(browser, reason)
    assert "(WebAssembly)" in stylize_in(browser, Stylizer(network, device="cpu")(*pair))


@pytest.mark.slow
@pytest.mark.network
def test_webgpu_in_software_stylizes_and_gives_way_when_it_sticks(network, address, browser, pair):
    browser.get(address)
    if not browser.execute_async_script(ADAPTER):
        pytest.skip("this browser has no WebGPU in software")
    assert "(WebGPU)" in open_with(browser, address, "software", pair)
    expected = Stylizer(network, device="cpu")(*pair)
    assert "(WebGPU)" in stylize_in(browser, expected)
    assert "(WebAssembly)" in stylize_in(browser, expected)
    assert warned(browser, "WebGPU failed; WebAssembly instead")


@pytest.mark.parametrize("form", ["folder", "file"])
def test_a_page_from_a_given_package(form, tmp_path):
    package = tmp_path / "package"
    (package / "dist").mkdir(parents=True)
    for name in RUNTIME_FILES:
        (package / "dist" / name).write_text(f"content of {name}")
    if form == "file":
        with tarfile.open(tmp_path / "package.tgz", "w:gz") as archive:
            archive.add(package, "package")
        shutil.rmtree(package)
        package = tmp_path / "package.tgz"
    folder = tmp_path / "page"
    write_page(folder, "<b>", read_runtime(package))
    check_web_folder(folder)  # a later export replaces it
    assert {each.name for each in folder.iterdir()} == {*PAGE_FILES, *RUNTIME_FILES}
    assert (folder / RUNTIME_FILES[0]).read_text() == f"content of {RUNTIME_FILES[0]}"
    text = (folder / "index.html").read_text()
    assert "Stylize with &lt;b&gt;" in text
    assert "{{" not in text


def test_packages_that_are_refused(tmp_path):
    (tmp_path / "dist").mkdir()
    with pytest.raises(DatNetError, match=r"lacks dist/ort\.wasm\.min\.mjs"):
        read_runtime(tmp_path)
    with tarfile.open(tmp_path / "empty.tgz", "w:gz"):
        pass
    with pytest.raises(DatNetError, match=r"empty\.tgz lacks dist/"):
        read_runtime(tmp_path / "empty.tgz")
    (tmp_path / "text.tgz").write_text("text")
    with pytest.raises(DatNetError, match=r"text\.tgz cannot be read"):
        read_runtime(tmp_path / "text.tgz")


def test_folders_that_are_refused(tmp_path):
    check_web_folder(tmp_path / "new")
    check_web_folder(tmp_path)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(DatNetError, match=r"holds other files, such as thesis\.tex"):
        check_web_folder(tmp_path)
    with pytest.raises(DatNetError, match="is a file"):
        check_web_folder(tmp_path / "thesis.tex")


def test_without_npm_or_network(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatNetError, match=r"needs npm .* --onnxruntime-web PATH"):
        fetch_runtime()
    npm = tmp_path / "npm"
    npm.write_text(
        "#!/bin/sh\necho 'npm ERR! code ENOTFOUND' >&2\n"
        "echo 'npm ERR! request to https://registry.example/ failed' >&2\nexit 1\n"
    )
    npm.chmod(0o755)
    with pytest.raises(DatNetError, match=r"\(ENOTFOUND\)") as refused:
        fetch_runtime()
    assert "example" not in str(refused.value)
    npm.write_text("#!/bin/sh\necho other > onnxruntime-web-1.tgz\n")
    with pytest.raises(DatNetError, match="another onnxruntime-web"):
        fetch_runtime()
    assert len(export_web.RUNTIME_SHA512) == 128
