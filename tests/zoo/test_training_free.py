from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datnet import Stylizer
from datnet.errors import DatNetError
from datnet.networks.gatys import Gatys
from datnet.networks.training_free import OptimizationMethod
from datnet.networks.vgg import CONVOLUTIONS_PER_BLOCK
from datnet.networks.wct import WCT
from datnet.zoo import training_free
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network, read_description
from datnet.zoo.published import PUBLISHED
from datnet.zoo.training_free import (
    METHODS,
    TRAINING_FREE,
    make_training_free,
    training_free_file,
    with_settings,
)


@pytest.fixture
def settings(encoder_file: Path) -> dict:
    """A random encoder."""
    return {"arch": "vgg16", "weights": str(encoder_file), "normalized": False}


@pytest.fixture
def photographs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Small pictures instead of the sample set; the names of the methods that were prepared."""
    prepared: list[str] = []

    def small(name: str) -> Iterator[Tensor]:
        prepared.append(name)
        yield from torch.rand(4, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    monkeypatch.setattr(training_free, "sample_photographs", small)
    return prepared


def test_names() -> None:
    assert not TRAINING_FREE.keys() & PUBLISHED.keys()
    for name, description in TRAINING_FREE.items():
        assert description.name == name
        assert description.encoder["arch"] in CONVOLUTIONS_PER_BLOCK
    assert {TRAINING_FREE[f"{name}_vgg19"].encoder["arch"] for name in METHODS} == {"vgg19"}
    assert TRAINING_FREE["gatys_vgg19"].network == TRAINING_FREE["gatys"].network


def test_wct_is_fitted_once_and_loaded_as_it_was(
    tmp_path: Path, settings: dict, photographs: list[str]
) -> None:
    path = tmp_path / "wct.safetensors"
    description = with_settings("wct", settings, deepest=2)
    make_training_free(description, path)
    assert photographs == ["wct"]
    network = load_network(path)
    assert isinstance(network, WCT)
    pictures = torch.rand(4, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    fitted = WCT(network.encoder, deepest=2)
    fitted.prepare(list(pictures))
    for name, tensor in fitted.decoders.state_dict().items():
        torch.testing.assert_close(network.decoders.state_dict()[name], tensor, rtol=0, atol=1e-3)

    make_training_free(description, path)
    assert photographs == ["wct"]
    make_training_free(with_settings("wct", settings, deepest=1), path)
    assert photographs == ["wct", "wct"]
    assert read_description(path).network["deepest"] == 1


def test_gatys_is_a_file_without_numbers(
    tmp_path: Path, settings: dict, photographs: list[str]
) -> None:
    path = tmp_path / "gatys.safetensors"
    make_training_free(with_settings("gatys", settings, steps=3), path)
    assert photographs == []  # nothing to prepare, so nothing is read and no one waits
    assert path.stat().st_size < 1000
    network = load_network(path)
    assert isinstance(network, Gatys)
    assert network.steps == 3


def test_settings_that_a_method_does_not_have(tmp_path: Path, settings: dict) -> None:
    with pytest.raises(DatNetError, match="stepps is not a setting of"):
        make_training_free(
            with_settings("gatys", settings, stepps=3), tmp_path / "gatys.safetensors"
        )
    assert not list(tmp_path.iterdir())


def test_names_are_checkpoints(
    tmp_path: Path, settings: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file has the name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(TRAINING_FREE, "gatys", with_settings("gatys", settings, steps=2))
    path = find_network("gatys")
    assert (
        path == training_free_file("gatys") == tmp_path / "cache" / "networks" / "gatys.safetensors"
    )
    assert isinstance(Stylizer("gatys", "cpu").network, OptimizationMethod)
    Path("gatys").write_text("a file goes before a name")
    assert find_network("gatys") == Path("gatys")
    with pytest.raises(DatNetError, match="methods without training: wct, gatys"):
        find_network("gaty")


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, settings: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setenv("DATNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(TRAINING_FREE, "gatys", with_settings("gatys", settings))
    with pytest.raises(DatNetError, match="Set DATNET_CACHE"):
        training_free_file("gatys")


@pytest.mark.parametrize("steps", [1, 4])
def test_stylizer_sets_the_steps(
    tmp_path: Path, settings: dict, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    path = tmp_path / "gatys.safetensors"
    make_training_free(with_settings("gatys", settings), path)
    stylizer = Stylizer(path, "cpu", steps=steps)
    assert isinstance(stylizer.network, Gatys)
    assert stylizer.network.steps == steps
    with pytest.raises(DatNetError, match="steps is 0; it must be at least 1"):
        Stylizer(path, "cpu", steps=0)


def test_steps_are_for_methods_that_optimise(
    tmp_path: Path, settings: dict, photographs: Callable
) -> None:
    path = tmp_path / "wct.safetensors"
    make_training_free(with_settings("wct", settings, deepest=1), path)
    with pytest.raises(DatNetError, match="wct is a feed-forward network; leave steps out"):
        Stylizer(path, "cpu", steps=5)


def test_gatys_loaded_in_inference_mode_optimizes(tmp_path: Path, settings: dict) -> None:
    """Whose tensors could not be saved for the backward pass."""
    make_training_free(with_settings("gatys", settings, steps=1), tmp_path / "gatys.safetensors")
    with torch.inference_mode():
        stylizer = Stylizer(tmp_path / "gatys.safetensors", device="cpu")
        assert not any(each.is_inference() for each in stylizer.network.parameters())
        photograph, painting = torch.rand(2, 3, 32, 32)
        assert stylizer(photograph, painting).size == (32, 32)
