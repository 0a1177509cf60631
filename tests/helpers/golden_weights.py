"""Inputs and weights of ../shared/golden/networks.npz, by networks.md, section 13."""

from __future__ import annotations

import math
import zlib

import torch
from torch import Tensor, nn


def deterministic(key: str, shape: torch.Size) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    values = torch.randn(shape, generator=generator)
    return values * math.sqrt(2 / values[0].numel()) if len(shape) > 1 else 0.1 * values


def picture(height: int, width: int, phase: float) -> Tensor:
    y, x, c = torch.meshgrid(
        torch.arange(height), torch.arange(width), torch.arange(3), indexing="ij"
    )
    values = 0.5 + 0.5 * torch.sin(0.37 * x + 0.21 * y * (1 + c) + phase + c)
    return values.permute(2, 0, 1)[None]


@torch.no_grad()
def fill(module: nn.Module, keys: list[str]) -> None:
    """Give the module's convolutions, in order, the weights of the published ones."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    for layer, key in zip(layers, keys, strict=True):
        layer.weight.copy_(deterministic(f"{key}.weight", layer.weight.shape))
        layer.bias.copy_(deterministic(f"{key}.bias", layer.bias.shape))
