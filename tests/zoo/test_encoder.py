"""The encoder with weights from a file: loaded tensors and its description."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datnet.errors import DatNetError
from datnet.networks.vgg import VggEncoder
from datnet.zoo import vgg_encoder


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:.*does not hold torchvision's ImageNet weights")
def test_a_file_of_weights(encoder: VggEncoder, encoder_file: Path) -> None:
    loaded = vgg_encoder("vgg16", encoder_file, normalized=False)
    assert loaded.weights == str(encoder_file)
    assert not loaded.normalized
    for ours, theirs in zip(loaded.convolutions()[1:], encoder.convolutions()[1:], strict=True):
        assert torch.equal(ours.weight, theirs.weight)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_random_weights() -> None:
    encoder = vgg_encoder("vgg16", weights=None)
    assert encoder.weights is None
    assert encoder.normalized


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatNetError, match=r"nowhere\.safetensors, given as .* is not a file"):
        vgg_encoder("vgg16", tmp_path / "nowhere.safetensors")


def test_an_unknown_architecture_is_refused_before_anything_is_fetched() -> None:
    with pytest.raises(ValueError, match="vgg19"):
        vgg_encoder("resnet50")  # type: ignore[arg-type]
