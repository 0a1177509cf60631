"""Convert images to tensors and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from datnet.images.reading import read_image
from datnet.images.resizing import fit_square

if TYPE_CHECKING:
    # Processes that only convert files do without torch, which saves seconds and 200 MB each.
    from torch import Tensor


def to_tensor(image: Image.Image) -> Tensor:
    """Convert an image of mode RGB to a float32 tensor ``(3, H, W)`` in [0, 1].

    Raises:
        ValueError: If the image has another mode.
    """
    if image.mode != "RGB":
        raise ValueError(f"expected an image of mode RGB, not {image.mode}")
    import torch

    # A copy: an array that shares memory with the image cannot be written to.
    pixels = torch.from_numpy(np.array(image))  # (H, W, 3)
    return pixels.permute(2, 0, 1).contiguous().float().div_(255)


def read_square(path: str | Path, size: int) -> Tensor:
    """Read an image file as evaluation prepares it, see :func:`fit_square`.

    Args:
        path: The file.
        size: Side of the square, in pixels.

    Returns:
        RGB ``(1, 3, size, size)`` in [0, 1].

    Raises:
        UnreadableImageError: If it cannot be used.
    """
    return to_tensor(fit_square(read_image(path), size))[None]


def to_image(tensor: Tensor) -> Image.Image:
    """Convert a tensor ``(3, H, W)`` to an 8-bit RGB image.

    Values are clamped to [0, 1] and rounded to the nearest of 256 levels.

    Raises:
        ValueError: If it has another shape or holds NaN.
    """
    import torch

    if tensor.ndim != 3 or tensor.shape[0] != 3:
        raise ValueError(f"expected a tensor (3, H, W), not {tuple(tensor.shape)}")
    values = tensor.detach().cpu().float()
    if values.isnan().any():
        raise ValueError("the image contains values that are not numbers (NaN)")
    levels = values.clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(levels.permute(1, 2, 0).contiguous().numpy())
