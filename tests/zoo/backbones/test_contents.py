from __future__ import annotations

import pytest
import torch

from datnet.zoo.backbones import BACKBONES
from datnet.zoo.backbones.contents import sha256_of_values, to_cache_file
from tests.helpers.backbones import TINY_KERNELS, random_weights

pytestmark = pytest.mark.usefixtures("own_cache")


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
