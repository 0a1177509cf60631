"""A network, an encoder and images for tests of evaluations."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

SIZE = 32


class CountingEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, images: Tensor) -> list[Tensor]:
        self.calls += 1
        return [functional.avg_pool2d(images, 2**level) for level in range(5)]


class Blend:
    """A network that mixes content and style, counts its calls and can fail at one of them."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.calls = 0
        self.fail_at = fail_at

    def __call__(self, content: Tensor, style: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        return 0.6 * content + 0.4 * style


def make_image(path: Path, seed: int, width: int = 40, height: int = 36) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))
