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
from tests.helpers.browser import chromium, requested, set_screen
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


@pytest.fixture(scope="module")
def address(page: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=page))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def picture(seed: int, width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


RESULT = "return document.getElementById('after').toDataURL('image/png').split(',')[1]"


@pytest.mark.slow
@pytest.mark.network  # npm fetches onnxruntime-web, unless its cache has it
def test_the_page_stylizes_like_the_network(network, address, tmp_path):
    photo, painting = picture(1, 160, 128), picture(2, 128, 144)
    photo.save(tmp_path / "photo.png")
    painting.save(tmp_path / "painting.png")
    (tmp_path / "text.png").write_text("only text")
    with chromium() as browser:
        browser.set_script_timeout(60)
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
        choose["photo"](str(tmp_path / "photo.png"))
        choose["painting"](str(tmp_path / "painting.png"))
        wait_for(button.is_enabled)
        stylizer = Stylizer(network, device="cpu")
        for alpha in (1.0, 0.5):
            browser.execute_script(
                "const slider = document.getElementById('alpha'); slider.value = arguments[0];"
                "slider.dispatchEvent(new Event('input'))",
                alpha,
            )
            button.click()
            wait_for(lambda: "Done" in status.text)
            data = base64.b64decode(browser.execute_script(RESULT))
            result = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), float)
            expected = np.asarray(stylizer(photo, painting, alpha=alpha))
            assert result.shape == expected.shape
            error = np.square(result - expected).mean()
            assert 10 * np.log10(255**2 / max(error, 1e-9)) > 40
        assert find("id", "download").get_attribute("href").startswith("blob:")
        assert find("id", "percent").text == "50 %"
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
        unlabeled = browser.execute_script(
            "return [...document.querySelectorAll('input, select, button')]"
            ".filter((each) => !each.labels?.length && !each.textContent.trim()).length"
        )
        assert unlabeled == 0
        assert all(url.startswith((address, "data:", "blob:")) for url in requested(browser))
        outside = "fetch('http://127.0.0.1:9/').then(arguments[0], () => arguments[0]('refused'))"
        assert browser.execute_async_script(outside) == "refused"


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
