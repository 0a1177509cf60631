"""A folder with a static page that stylizes in the visitor's browser.

The folder has the page (``web_page/``), the network as ``network.onnx`` and onnxruntime-web, which
npm fetches from the registry that it is set up for. Any static web server can serve it; the page
asks for nothing outside the folder.
"""

from __future__ import annotations

import hashlib
import html
import re
import shutil
import subprocess
import tarfile
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from datnet.errors import DatNetError
from datnet.images.files import write_bytes

RUNTIME_VERSION = "1.30.0"
RUNTIME_SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
"""SHA-512 of the package as the registry has it."""

RUNTIME_FILES = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
"""Files of the package that the page loads: the first three, or with WebGPU the others."""

PAGE_FILES = ("index.html", "page.css", "page.js", "worker.js")
NETWORK_FILE = "network.onnx"

Runtime = dict[str, bytes]
"""Content of the runtime's files by name."""


def check_web_folder(folder: Path) -> None:
    """Check that a folder is absent, empty, or holds an earlier page.

    Args:
        folder: The folder.

    Raises:
        DatNetError: If it is a file or holds other files.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DatNetError(f"{folder} is a file; name a folder for --web")
    own = {*RUNTIME_FILES, *PAGE_FILES, NETWORK_FILE}
    others = sorted(each.name for each in folder.iterdir() if each.name not in own)
    if others:
        raise DatNetError(f"{folder} holds other files, such as {others[0]}; name a new folder")


def read_runtime(package: Path | None) -> Runtime:
    """Read the files of onnxruntime-web.

    Args:
        package: The package, a .tgz of `npm pack` or its unpacked folder; None to let npm fetch it.

    Returns:
        The content of :data:`RUNTIME_FILES`.

    Raises:
        DatNetError: If the package cannot be fetched or read, or lacks a file.
    """
    if package is None:
        return fetch_runtime()
    if package.is_dir():
        folder = package / "dist" if (package / "dist").is_dir() else package
        lacking = [name for name in RUNTIME_FILES if not (folder / name).is_file()]
        if lacking:
            raise lacks(package, lacking[0])
        return {name: (folder / name).read_bytes() for name in RUNTIME_FILES}
    return unpack(package)


def fetch_runtime() -> Runtime:
    """Fetch onnxruntime-web with npm.

    Returns:
        The content of :data:`RUNTIME_FILES`.

    Raises:
        DatNetError: If npm is missing or fails, or the package is not the known one.
    """
    otherwise = f"or give the package onnxruntime-web {RUNTIME_VERSION} with --onnxruntime-web PATH"
    npm = shutil.which("npm")
    if npm is None:
        raise DatNetError(f"--web needs npm to fetch onnxruntime-web: install Node.js, {otherwise}")
    with TemporaryDirectory() as folder:
        package = f"onnxruntime-web@{RUNTIME_VERSION}"
        done = subprocess.run(
            [npm, "pack", package, "--prefer-offline", "--pack-destination", folder],
            capture_output=True,
            text=True,
            cwd=folder,
        )
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode or not found:
            code = re.search(r"^npm \S+ code (\w+)", done.stderr, re.M | re.I)
            reason = code[1] if code else f"status {done.returncode}"
            raise DatNetError(f"npm cannot fetch {package} ({reason}): try later, {otherwise}")
        digest = hashlib.sha512(found[0].read_bytes()).hexdigest()
        if digest != RUNTIME_SHA512:
            raise DatNetError(
                f"npm fetched another {package} than the known one (SHA-512 {digest[:16]}…); "
                f"check the registry that npm is set up for, {otherwise}"
            )
        return unpack(found[0])


def unpack(package: Path) -> Runtime:
    """Read the runtime's files from a package file.

    Args:
        package: A .tgz of `npm pack`.

    Returns:
        The content of :data:`RUNTIME_FILES`.

    Raises:
        DatNetError: If it cannot be read or lacks a file.
    """
    runtime = {}
    try:
        with tarfile.open(package) as archive:
            for name in RUNTIME_FILES:
                content = archive.extractfile(f"package/dist/{name}")
                if content is None:
                    raise lacks(package, name)
                runtime[name] = content.read()
    except KeyError:
        raise lacks(package, name) from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DatNetError(f"{package} cannot be read as a package of npm: {error}") from error
    return runtime


def lacks(package: Path, name: str) -> DatNetError:
    """Return the error for a package without one of the files."""
    return DatNetError(
        f"{package} lacks dist/{name}; give the package onnxruntime-web {RUNTIME_VERSION}"
    )


def write_page(folder: Path, network_name: str, runtime: Runtime) -> None:
    """Write the page and the runtime beside the network.

    Args:
        folder: The folder with :data:`NETWORK_FILE`.
        network_name: Name of the network, which the page shows.
        runtime: Content of the runtime's files.

    Raises:
        OSError: If a file cannot be written; the error names it.
    """
    for name, content in runtime.items():
        write_bytes(folder / name, content)
    source = files("datnet.stylize") / "web_page"
    for name in reversed(PAGE_FILES):  # index.html last: with it, the folder is complete
        text = (source / name).read_text(encoding="utf-8")
        text = text.replace("{{network}}", html.escape(network_name))
        write_bytes(folder / name, text.encode())
