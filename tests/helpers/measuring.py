"""An encoder and pictures for tests of metrics, and points whose Fréchet distance is known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from datnet.evaluation.measuring import round_to_8_bits


class SmallEncoder(nn.Module):
    """Five maps of halving size, like VGG's; counts its calls and notes whether TF32 was on."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.mixing = [torch.randn(4, 3, 1, 1, generator=generator) for _ in range(5)]
        self.calls = 0
        self.tf32_allowed: bool | None = None

    def forward(self, images: Tensor) -> list[Tensor]:
        self.calls += 1
        self.tf32_allowed = torch.backends.cudnn.allow_tf32
        return [
            functional.conv2d(functional.avg_pool2d(images, 2**level), mixing).relu()
            for level, mixing in enumerate(self.mixing)
        ]


def random_picture(seed: int, size: int = 48) -> Tensor:
    """Random 8-bit picture with some structure."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, size // 8, size // 8, generator=generator)
    fine = torch.rand(1, 3, size, size, generator=generator)
    smooth = functional.interpolate(coarse, scale_factor=8, mode="bilinear")
    return round_to_8_bits(0.7 * smooth + 0.3 * fine)


# Means 0 and 3, variances 2 and 8: the distance is (0 - 3)² + (√2 - √8)² = 11.
ON_A_LINE = tuple(np.array(x, np.float32)[:, None] for x in ([-1, 1], [1, 5]))
