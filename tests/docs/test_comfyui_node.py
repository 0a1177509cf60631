"""The node of ComfyUI in docs/, called as ComfyUI calls nodes; ComfyUI itself is not needed."""

from __future__ import annotations

import inspect
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from datnet import Stylizer
from tests.helpers.visitor import write_network

NODE = Path(__file__).parents[2] / "docs" / "comfyui_node.py"


@pytest.fixture(scope="module")
def node() -> ModuleType:
    spec = spec_from_file_location("comfyui_node", NODE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_network("tiny", 1, tmp_path_factory.mktemp("node") / "network.safetensors"))


def images(seed: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (*shape, 3), generator=generator) / 255


@pytest.mark.parametrize("paintings", [1, 2])
def test_the_node_stylizes_like_the_stylizer(paintings, node, network):
    node_class = node.NODE_CLASS_MAPPINGS["DatNetStylize"]
    photographs, painted = images(0, 2, 48, 64), images(1, paintings, 40, 56)
    inputs = {
        name: given[1]["default"] if len(given) == 2 else None
        for name, given in node_class.INPUT_TYPES()["required"].items()
    }
    inputs |= {"photographs": photographs, "paintings": painted, "network": network, "alpha": 0.5}
    outputs = getattr(node_class(), node_class.FUNCTION)(**inputs)
    assert len(outputs) == len(node_class.RETURN_TYPES) == 1
    (results,) = outputs
    assert results.dtype == torch.float32
    assert results.shape == photographs.shape
    for number, result in enumerate(results):
        expected = Stylizer(network)(
            photographs[number].movedim(-1, 0),
            painted[number % paintings].movedim(-1, 0),
            alpha=0.5,
        )
        np.testing.assert_allclose(result.numpy() * 255, np.asarray(expected), atol=0.01)


def test_inputs_of_the_node(node, network):
    node_class = node.NODE_CLASS_MAPPINGS["DatNetStylize"]
    given = set(node_class.INPUT_TYPES()["required"])
    assert given == set(inspect.signature(node_class.stylize).parameters) - {"self"}
    with pytest.raises(ValueError, match="3 paintings for 2 photographs"):
        node_class().stylize(images(0, 2, 40, 40), images(1, 3, 40, 40), network, 1.0, 0)
