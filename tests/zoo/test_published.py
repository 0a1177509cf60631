from __future__ import annotations

import dataclasses
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from datnet import Stylizer
from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.networks.microast import MicroAST
from datnet.networks.vgg import VggEncoder
from datnet.zoo.backbones import sources
from datnet.zoo.backbones.contents import sha256_of_values
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network, read_description
from datnet.zoo.published import PUBLISHED
from datnet.zoo.shipped import shipped_names
from tests.helpers.hostile_server import Evil, Server

FILES = PUBLISHED["microast"].files
Parts = dict[str, dict[str, Tensor]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache, and no network but this machine's."""
    monkeypatch.setenv("DATNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DATNET_WEIGHTS", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    change(monkeypatch, url="http://127.0.0.1:9/")
    return tmp_path / "cache" / "networks" / "microast.safetensors"


def change(monkeypatch: pytest.MonkeyPatch, **values: object) -> None:
    monkeypatch.setitem(PUBLISHED, "microast", dataclasses.replace(PUBLISHED["microast"], **values))


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> MicroAST:
    """A MicroAST with random weights that replaces the published one."""
    torch.manual_seed(0)
    network = MicroAST().eval()
    change(monkeypatch, sha256_of_values=sha256_of_values(network.state_dict()))
    return network


@pytest.fixture
def parts(network: MicroAST) -> Parts:
    """Its tensors by part, under the published names."""
    parts: Parts = {part: {} for part in FILES}
    for name, tensor in network.state_dict().items():
        part, _, rest = name.partition(".")
        layer, _, kind = rest.rpartition(".")
        if part.endswith("encoder"):
            layer = layer.replace("level1", "enc1").replace("level2", "enc2.0")
        elif part == "modulator":
            layer = f"{layer}.0"
        else:
            for ours, theirs in (("modulated2", "dec1"), ("modulated1", "dec2")):
                layer = layer.replace(ours, theirs)
            layer = layer.replace("to_image", "dec3")
        parts[part][f"{layer}.conv_layer.{kind}"] = tensor.clone()
    assert next(iter(parts["modulator"])) == "weight1.0.conv_layer.weight"
    return parts


def torch_bytes(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def write_folder(folder: Path, parts: Parts) -> Path:
    """The files as their authors published them."""
    folder.mkdir(parents=True)
    for part, tensors in parts.items():
        (folder / FILES[part]).write_bytes(torch_bytes(tensors))
    return folder


def same_weights(path: Path, network: MicroAST) -> bool:
    stored, expected = load_file(path), network.state_dict()
    return stored.keys() == expected.keys() and all(
        torch.equal(stored[name], expected[name]) for name in stored
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    running = Server()
    change(monkeypatch, url=running.url)
    yield running
    running.release.set()
    running.http.shutdown()
    running.http.server_close()


def serve(server: Server, parts: Parts) -> None:
    files = {f"/{FILES[part]}": torch_bytes(tensors) for part, tensors in parts.items()}
    server.answer = lambda request: server.send(request, files[request.path])


# Files of the authors in a folder


def test_real_files_become_a_network_file(shared: Path, cache: Path) -> None:
    """Under the authors' names of tensors, and with the values that DatNet knows."""
    assert find_network(shared / "golden" / "microast") == cache
    description = read_description(cache)
    assert description.name == "microast"
    assert description.training["licence"] == "MIT"
    assert description.training["steps"] == 160000
    assert "EndyWon/MicroAST" in description.training["source"]
    assert sum(p.numel() for p in load_network(cache).parameters()) == 471_987
    assert find_network("microast") == cache


def test_torch_files_become_a_network_file(
    network: MicroAST, parts: Parts, cache: Path, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "models", parts)
    assert find_network(str(folder)) == cache
    assert same_weights(cache, network)
    assert [path.name for path in cache.parent.iterdir()] == ["microast.safetensors"]
    loaded = load_network(cache)
    content = torch.rand(1, 3, 32, 40)
    torch.testing.assert_close(loaded(content, content), network(content, content))


def test_converted_file_is_reused(parts: Parts, cache: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "models", parts)
    find_network(folder)
    before = cache.stat().st_mtime_ns
    assert find_network(folder) == cache
    for path in folder.iterdir():
        path.unlink()
    assert find_network("microast") == cache
    assert cache.stat().st_mtime_ns == before


def test_parts_may_be_safetensors(
    network: MicroAST, parts: Parts, cache: Path, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "models", parts)
    (folder / FILES["decoder"]).unlink()
    save_file(parts["decoder"], folder / "decoder.safetensors")
    find_network(folder)
    assert same_weights(cache, network)


@pytest.mark.parametrize("damage", ["value", "name", "shape", "missing"])
def test_changed_tensors_are_refused(
    parts: Parts, cache: Path, tmp_path: Path, damage: str
) -> None:
    bias = parts["modulator"].pop("bias2.0.conv_layer.bias")
    if damage == "value":
        changed = bias.clone()
        changed[5] += 1e-6
        parts["modulator"]["bias2.0.conv_layer.bias"] = changed
    elif damage == "name":
        parts["modulator"]["bias3.0.conv_layer.bias"] = bias
    elif damage == "shape":
        parts["modulator"]["bias2.0.conv_layer.bias"] = bias[None]
    folder = write_folder(tmp_path / "models", parts)
    with pytest.raises(DatNetError, match=r"models do not hold the values .* published"):
        find_network(folder)
    assert not cache.exists()


def test_incomplete_or_unreadable_folder_names_the_file(parts: Parts, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "models", parts)
    file = folder / FILES["decoder"]
    file.write_bytes(torch_bytes({"dec1.conv1.conv_layer.bias": 3}))
    with pytest.raises(DatNetError, match=r"dec1\.conv1\.conv_layer\.bias, which is not a tensor"):
        find_network(folder)
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(DatNetError, match=r"decoder_iter_160000\.pth\.tar cannot be read"):
        find_network(folder)
    file.unlink()
    with pytest.raises(DatNetError, match=r"neither decoder_iter_160000\.pth\.tar nor decoder\."):
        find_network(folder)


def test_pickle_with_code_is_refused(parts: Parts, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "models", parts)
    (folder / FILES["decoder"]).write_bytes(torch_bytes(Evil(tmp_path / "hacked")))
    with pytest.raises(DatNetError, match="cannot be read"):
        find_network(folder)
    assert not (tmp_path / "hacked").exists()


# By name


def test_environment_folder(
    network: MicroAST,
    parts: Parts,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATNET_WEIGHTS", str(tmp_path / "given"))
    write_folder(tmp_path / "given" / "microast", parts)
    assert find_network("microast") == cache
    assert same_weights(cache, network)


def test_fetched_once(network: MicroAST, parts: Parts, cache: Path, server: Server) -> None:
    serve(server, parts)
    assert find_network("microast") == cache
    assert same_weights(cache, network)
    assert find_network(Path("microast")) == cache
    assert server.requests == [f"/{name}" for name in FILES.values()]


def test_failed_fetches_say_why_and_leave_nothing(
    parts: Parts, cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "DOWNLOAD_TIMEOUT_SECONDS", 0.2)
    changed = {**parts, "decoder": {k: t + 1 for k, t in parts["decoder"].items()}}
    for prepare, message in (
        (lambda: server.reply(b"x" * 999, length=5000), "content_.*after 999 of 5000 bytes"),
        (lambda: server.stall(b"x" * 999), "no data for 0.2 s"),
        (lambda: server.reply(b"", code=404), "404 Not Found"),
        (lambda: server.reply(b"<html>Please log in</html>"), "cannot be read"),
        (lambda: serve(server, changed), "do not hold the values"),
        (lambda: change(monkeypatch, url="http://127.0.0.1:9/"), "Connection refused"),
    ):
        prepare()
        with pytest.raises(DatNetError, match=message) as failure:
            find_network("microast")
        for word in ("$DATNET_WEIGHTS: not set", str(cache), *FILES.values()):
            assert word in str(failure.value)
        assert not cache.exists()


@pytest.mark.parametrize("damage", ["flip", "truncate", "another description"])
def test_damaged_or_outdated_cache_is_replaced(
    network: MicroAST,
    parts: Parts,
    cache: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
) -> None:
    serve(server, parts)
    sound = find_network("microast").read_bytes()
    if damage == "flip":
        cache.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    elif damage == "truncate":
        cache.write_bytes(sound[:-8])
    else:
        description = dataclasses.replace(PUBLISHED["microast"].description, name="renamed")
        change(monkeypatch, description=description)
    assert same_weights(find_network("microast"), network)
    assert len(server.requests) == 8
    assert read_description(cache) == PUBLISHED["microast"].description


def test_cache_that_cannot_be_written(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DATNET_CACHE", str(tmp_path / "file"))
    folder = write_folder(tmp_path / "models", parts)
    with pytest.raises(DatNetError, match=r"cannot be written.*DATNET_CACHE"):
        find_network(folder)


# What else a user may name


def test_other_files_are_as_before(
    network: MicroAST, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "network.safetensors"
    file.write_text("whatever")
    assert find_network(str(file)) == file
    with pytest.raises(DatNetError, match="not a network file of DatNet"):
        Stylizer(file)
    with pytest.raises(DatNetError, match="is a folder that holds no network"):
        Stylizer(tmp_path / "..")
    # A folder that happens to have a published name does not hide the published network.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "microast").mkdir()
    with pytest.raises(DatNetError, match="could not be fetched"):
        find_network("microast")
    (tmp_path / "microast").rmdir()
    (tmp_path / "microast").write_text("a file of the user's")
    assert find_network("microast") == Path("microast")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["datnet", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_stylize_needs_no_vgg(
    parts: Parts,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise AssertionError("a VGG was made")

    monkeypatch.setattr(VggEncoder, "__init__", refuse)
    folder = write_folder(tmp_path / "models", parts)
    photo, painting = pictures / "content" / "0.png", pictures / "style" / "1.png"
    given = ("stylize", photo, painting, "--device", "cpu", "-o")
    assert call(monkeypatch, *given, tmp_path / "a.png", "--checkpoint", folder) == 0
    assert call(monkeypatch, *given, tmp_path / "b.png", "--checkpoint", "microast") == 0
    assert Image.open(tmp_path / "a.png").size == (64, 48)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "Fetching" not in capsys.readouterr().err
    stylizer = Stylizer("microast", device="cpu")
    assert stylizer.description.name == "microast"
    assert stylizer(photo, painting).tobytes() == Image.open(tmp_path / "a.png").tobytes()


def test_mistakes_on_the_command_line(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, painting = pictures / "content" / "0.png", pictures / "style" / "1.png"
    for arguments in (
        ("stylize", photo, painting, "--checkpoint", "micorast"),
        ("evaluate", "micorast"),
    ):
        assert call(monkeypatch, *arguments) == 1
        message = capsys.readouterr().err
        assert message.startswith("error: micorast does not exist")
        assert "did you mean microast?" in message
        assert f"published: microast; shipped with DatNet: {', '.join(shipped_names())};" in message
        assert len(message.splitlines()) == 1
    assert call(monkeypatch, "stylize", photo, painting, "--checkpoint", "microast") == 1
    message = capsys.readouterr().err
    assert "error: The published microast is not on this machine and could not be" in message
    assert "Traceback" not in message
    assert call(monkeypatch, "weights", "fetch", "micorast") == 1
    assert "vgg16, vgg19, alexnet, microast" in capsys.readouterr().err


def test_evaluate_takes_a_published_name(
    parts: Parts, cache: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def evaluate_networks(networks: dict[str, Path], *rest: object, **settings: object) -> None:
        asked.update(networks)
        raise DatNetError("that is enough")

    monkeypatch.setattr("datnet.evaluation.evaluate.evaluate_networks", evaluate_networks)
    find_network(write_folder(tmp_path / "models", parts))
    folders = ("--content", pictures / "content", "--style", pictures / "style")
    assert call(monkeypatch, "evaluate", "microast", *folders) == 1
    assert asked == {"microast": cache}


def test_weights_command(
    parts: Parts,
    cache: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    serve(server, parts)
    assert call(monkeypatch, "weights", "list") == 0
    assert f"microast missing: 2 MB to download from {server.url}" in capsys.readouterr().out
    assert call(monkeypatch, "weights", "path", "microast") == 1
    assert "datnet weights fetch microast" in capsys.readouterr().err
    assert server.requests == []

    assert call(monkeypatch, "weights", "fetch", "microast") == 0
    assert capsys.readouterr().out.split() == ["microast", str(cache)]
    assert call(monkeypatch, "weights", "path", "microast") == 0
    assert capsys.readouterr().out.split() == [str(cache)]
    assert call(monkeypatch, "weights", "list") == 0
    listed = capsys.readouterr().out
    assert str(cache) in listed
    assert "2 MB, from https://github.com/EndyWon/MicroAST" in listed
