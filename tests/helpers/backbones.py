"""Small ImageNet weights, and where they come from, for tests of backbones."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from datnet.zoo.backbones import BACKBONES, sources
from tests.helpers.hostile_server import Server

TINY_KERNELS = {0: (2, 3, 3, 3), 2: (4, 2, 3, 3)}


VGG19_ANCHOR = torch.tensor([-0.053474, -0.049257, -0.067942])


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and no source that could fill it."""
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
    """A server that stands for torchvision's."""
    running = Server()
    monkeypatch.setattr(sources, "TORCHVISION_URL", running.url)
    yield running
    running.release.set()
    running.http.shutdown()
    running.http.server_close()
