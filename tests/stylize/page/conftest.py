from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from datnet import Stylizer
from datnet.images.embedded import SampleImages
from datnet.stylize.page.limits import Limits
from datnet.stylize.page.server import served
from tests.helpers.visitor import Visitor, free_port, write_network


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network("tiny", 0, tmp_path_factory.mktemp("network") / "network.safetensors")


@pytest.fixture(scope="module")
def stylizer(network: Path) -> Stylizer:
    return Stylizer(network, "cpu")


@pytest.fixture(scope="module")
def other_stylizer(network: Path) -> Stylizer:
    return Stylizer(write_network("other", 1, network.with_name("other.safetensors")), "cpu")


@pytest.fixture(scope="module")
def examples(pictures: Path) -> SampleImages:
    content, style = pictures / "content", pictures / "style"
    return SampleImages(content, style, content, style)


@pytest.fixture(scope="module")
def address(stylizer: Stylizer, other_stylizer: Stylizer, examples: SampleImages) -> Iterator[str]:
    pytest.importorskip("gradio")
    limits = Limits(upload_megabytes=0.5, clip_seconds=2 if find_spec("av") else 0)
    stylizers = {"tiny": stylizer, "other": other_stylizer}
    with served(stylizers, limits, examples, "127.0.0.1", free_port()) as address:
        yield address


@pytest.fixture
def visitor(address: str) -> Visitor:
    return Visitor(address)
