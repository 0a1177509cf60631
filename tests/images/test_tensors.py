from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from datnet.images.tensors import to_image, to_tensor


def test_all_levels_survive_the_way_to_a_tensor_and_back() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(np.stack([values, values[::-1], values.T], axis=2))
    tensor = to_tensor(image)
    assert tensor.shape == (3, 16, 16)
    assert tensor.dtype == torch.float32
    assert (tensor.min().item(), tensor.max().item()) == (0.0, 1.0)
    assert tensor[1, 15, 3] == 3 / 255
    assert np.array_equal(np.asarray(to_image(tensor)), np.asarray(image))


def test_to_tensor_does_not_share_memory_with_the_image() -> None:
    image = Image.new("RGB", (4, 4), "white")
    to_tensor(image).zero_()
    assert image.getpixel((0, 0)) == (255, 255, 255)


def test_to_image_clamps_and_rounds() -> None:
    values = torch.tensor([-5.0, 0.49 / 255, 0.51 / 255, 254.6 / 255, 1.5, float("inf")])
    image = to_image(values.expand(3, 1, 6).clone().requires_grad_())
    assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 255, 255, 255]


def test_to_image_takes_half_precision() -> None:
    assert to_image(torch.ones(3, 2, 2, dtype=torch.bfloat16)).getpixel((0, 0)) == (255, 255, 255)


def test_to_image_refuses_nan_and_other_shapes() -> None:
    tensor = torch.zeros(3, 4, 4)
    tensor[1, 2, 3] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        to_image(tensor)
    with pytest.raises(ValueError, match=r"\(3, H, W\)"):
        to_image(torch.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match="mode RGB"):
        to_tensor(Image.new("L", (4, 4)))
