from __future__ import annotations

import copy
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from datnet.networks.vgg import VggEncoder
from tests.helpers.offline import sitecustomize  # refuses other machines

SHARED = Path(__file__).parents[1] / ".." / "shared"

os.environ.setdefault("WANDB_MODE", "offline")

# A shell's background jobs ignore Ctrl-C, and those of `nohup` a closed terminal; so would the
# commands that tests interrupt.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, handler)


FETCHING_FIXTURES = {"pretrained", "real_weights", "experiment"}
"""Fixtures that fetch pretrained weights into the user's cache; their tests are marked so."""

OFFLINE = str(Path(sitecustomize.__file__).parent)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [OFFLINE, os.environ.get("PYTHONPATH")]))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "network: fetches from other machines; others cannot")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FETCHING_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("network")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Let the tests that are marked reach the network, with the fixtures that they ask for."""
    if item.get_closest_marker("network") is None:
        return (yield)
    os.environ[sitecustomize.ONLINE] = "1"
    try:
        return (yield)
    finally:
        del os.environ[sitecustomize.ONLINE]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Golden vectors and real images, which are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("../shared, with golden vectors and real pictures, is not here")
    return SHARED


@pytest.fixture(scope="session")
def random_encoder() -> VggEncoder:
    """A VGG-16 with random weights: the architecture without a download. Nobody changes it."""
    torch.manual_seed(0)
    return VggEncoder("vgg16")


@pytest.fixture
def encoder(random_encoder: VggEncoder) -> VggEncoder:
    """A copy for one test: what a network does to it, such as its memory format, ends there."""
    return copy.deepcopy(random_encoder)


class Golden:
    """Inputs, parameters and output of a published implementation."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self.arrays = {k: torch.from_numpy(arrays[k]) for k in arrays.files if k != "meta"}
            self.meta = json.loads(str(arrays["meta"])) if "meta" in arrays.files else {}

    def __getitem__(self, name: str) -> Tensor:
        return self.arrays[name]

    def parameters(self, entries: list[dict] | None = None) -> dict[str, Tensor]:
        return {
            entry["role"]: torch.from_numpy(
                np.random.default_rng(entry["seed"]).standard_normal(entry["shape"])
                * entry["scale"]
            ).float()
            for entry in entries or self.meta["params"]
        }


@pytest.fixture
def golden(shared: Path):
    return lambda name: Golden(shared / "golden" / f"{name}.npz")


@pytest.fixture(scope="session")
def encoder_file(random_encoder: VggEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The random VGG-16 as a file in torchvision's naming."""
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    positions = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    layers = random_encoder.convolutions()
    layers += layers[-1:] * (len(positions) - len(layers))  # conv5_2 and conv5_3 are never used
    save_file(
        {
            f"features.{position}.{kind}": getattr(layer, kind).clone()
            for position, layer in zip(positions, layers, strict=True)
            for kind in ("weight", "bias")
        },
        path,
    )
    return path


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders content/ and style/ with five small pictures each."""
    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for kind in ("content", "style"):
        (root / kind).mkdir()
        for number in range(5):
            small = Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8))
            small.resize((64, 48), Image.Resampling.BICUBIC).save(root / kind / f"{number}.png")
    return root


@pytest.fixture(scope="session")
def small_overrides(pictures: Path, encoder_file: Path) -> list[str]:
    """A training that takes seconds, with a random encoder and generated images."""
    return [
        f"encoder.weights={encoder_file}",
        "encoder.normalized=false",
        "data=coco_wikiart",
        f"data.content_dir={pictures / 'content'}",
        f"data.style_dir={pictures / 'style'}",
        "data.short_side=null",
        "data.crop_size=32",
        "data.batch_size=2",
        "data.num_workers=0",
        "data.validation_pairs=1",
        "trainer=cpu",
        "trainer.enable_progress_bar=false",
        "trainer.log_every_n_steps=1",
        "trainer.val_check_interval=100",
        "final_metrics=false",
    ]
