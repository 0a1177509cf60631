"""StyleAugment among torchvision's transforms and in the workers of a DataLoader."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

from datnet.augment import StyleAugment
from datnet.errors import DatNetError
from tests.helpers.pixel_network import write_pixel_network


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pixel_network(tmp_path_factory.mktemp("network") / "network.safetensors")


@pytest.fixture
def augment(network: Path, pictures: Path) -> StyleAugment:
    return StyleAugment(pictures / "style", network, probability=1, alpha=(1, 1))


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_kinds_shapes_and_types_stay(augment: StyleAugment) -> None:
    images = noise(2, 3, 40, 48)
    pixels = (images[0] * 255).byte()
    for image in (images, images[0], images.double(), pixels, tv_tensors.Image(pixels)):
        result = augment(image)
        assert type(result) is type(image)
        assert (result.shape, result.dtype) == (image.shape, image.dtype)
        assert not torch.equal(result, image)
    picture = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    result = augment(picture)
    assert (result.size, result.mode) == (picture.size, "RGB")
    torch.manual_seed(0)
    from_pixels = augment(pixels)
    torch.manual_seed(0)
    assert np.array_equal(np.asarray(augment(picture)), from_pixels.permute(1, 2, 0).numpy())


def test_each_image_has_its_own_painting_and_a_seed_repeats_them(augment: StyleAugment) -> None:
    images = noise(1, 3, 32, 32).repeat(8, 1, 1, 1)
    torch.manual_seed(3)
    result = augment(images)
    assert len({tuple(each.mean(dim=(1, 2)).tolist()) for each in result}) > 2
    torch.manual_seed(3)
    assert torch.equal(augment(images), result)


def test_probability_and_strength(network: Path, pictures: Path) -> None:
    images = noise(200, 3, 32, 32)
    never = StyleAugment(pictures / "style", network, probability=0)
    assert torch.equal(never(images), images)
    torch.manual_seed(0)
    changed = StyleAugment(pictures / "style", network, probability=0.5)(images) != images
    assert 70 < int(changed.flatten(1).any(dim=1).sum()) < 130
    paintings = [pictures / "style" / "0.png"]
    full, weak = (
        StyleAugment(paintings, network, probability=1, alpha=(alpha, alpha))(images[:1])
        for alpha in (1.0, 0.25)
    )
    torch.testing.assert_close(
        (weak - images[:1]).mean(), 0.25 * (full - images[:1]).mean(), rtol=0.3, atol=0.01
    )


def test_labels_boxes_and_masks_stay(augment: StyleAugment) -> None:
    sample = {
        "image": tv_tensors.Image(noise(3, 32, 32)),
        "boxes": tv_tensors.BoundingBoxes([[1, 2, 9, 9]], format="XYXY", canvas_size=(32, 32)),
        "mask": tv_tensors.Mask(torch.eye(32, dtype=torch.long)),
        "label": 7,
    }
    result = v2.Compose([v2.RandomHorizontalFlip(0), augment])(sample)
    assert result["label"] == 7
    assert torch.equal(result["boxes"], sample["boxes"])
    assert torch.equal(result["mask"], sample["mask"])
    assert not torch.equal(result["image"], sample["image"])


def test_a_copy_by_pickle_does_the_same(augment: StyleAugment) -> None:
    copy = pickle.loads(pickle.dumps(augment))
    torch.manual_seed(1)
    expected = augment(noise(3, 32, 32))
    torch.manual_seed(1)
    assert torch.equal(copy(noise(3, 32, 32)), expected)


class Images(torch.utils.data.Dataset):
    def __init__(self, augment: StyleAugment) -> None:
        self.augment = augment

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.augment(noise(3, 32, 32))


@pytest.mark.slow
def test_workers_draw_different_numbers(augment: StyleAugment) -> None:
    torch.manual_seed(0)
    images = next(iter(DataLoader(Images(augment), batch_size=4, num_workers=2)))
    assert len({tuple(each.mean(dim=(1, 2)).tolist()) for each in images}) > 1


def test_mistakes(network: Path, pictures: Path, augment: StyleAugment) -> None:
    for settings, message in (
        ({"probability": 1.5}, "probability is 1.5"),
        ({"alpha": (0.8, 0.2)}, "alpha is"),
        ({"style_side": 8}, "style_side is 8"),
    ):
        with pytest.raises(DatNetError, match=message):
            StyleAugment(pictures / "style", network, **settings)
    with pytest.raises(DatNetError, match="no paintings"):
        StyleAugment([], network)
    with pytest.raises(ValueError, match="at least 32"):
        augment(noise(3, 16, 40))
    with pytest.raises(ValueError, match="expected"):
        augment(noise(1, 40, 40))
