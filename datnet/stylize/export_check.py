"""An exported file run and compared with its network, before it appears under its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from datnet.networks.base import StyleTransferNetwork
from datnet.networks.own_paintings import OwnStyleNetwork

TOLERANCE = 1e-3
"""Largest accepted difference of a pixel; 8-bit levels are 4e-3 apart."""

CHECKED_SIZES = (((32, 45), (64, 39)), ((97, 130), (75, 61)), ((192, 256), (160, 224)))
"""Pairs of content and style sizes ``(H, W)``: smallest, odd and ordinary."""

Runner = Callable[[Tensor, Tensor, float], Tensor]


@dataclass(frozen=True)
class Comparison:
    """Difference between exported file and network for one pair of images.

    Attributes:
        content_size: Height and width of the content.
        style_size: Height and width of the style.
        alpha: Strength of the style in [0, 1].
        difference: Largest absolute difference of a pixel; pixels are in [0, 1].
    """

    content_size: tuple[int, int]
    style_size: tuple[int, int]
    alpha: float
    difference: float


def onnx_runner(path: Path, alpha_input: bool) -> Runner:
    """Return a function that runs an ONNX file with onnxruntime on the CPU.

    Args:
        path: The file.
        alpha_input: Whether the file has the input ``alpha``.

    Returns:
        A function of content ``(1, 3, H, W)``, style and alpha that returns the result.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(content: Tensor, style: Tensor, alpha: float) -> Tensor:
        inputs = {"content": content.numpy(), "style": style.numpy()}
        if alpha_input:
            inputs["alpha"] = np.array(alpha, dtype=np.float32)
        return torch.from_numpy(session.run(["result"], inputs)[0])

    return run


def pt2_runner(path: Path, alpha_input: bool) -> Runner:
    """Return a function that runs a PT2 archive on the CPU.

    Args:
        path: The file.
        alpha_input: Whether the file has the input ``alpha``.

    Returns:
        A function of content ``(1, 3, H, W)``, style and alpha that returns the result.
    """
    with path.open("rb") as file:
        module = torch.export.load(file).module()

    def run(content: Tensor, style: Tensor, alpha: float) -> Tensor:
        return module(content, style, *((torch.tensor(alpha),) if alpha_input else ()))

    return run


@torch.no_grad()
def compare(
    network: StyleTransferNetwork, runner: Runner, alphas: Sequence[float]
) -> list[Comparison]:
    """Compare the outputs of an exported file and its network at :data:`CHECKED_SIZES`.

    Args:
        network: The network on the CPU.
        runner: Function that runs the exported file.
        alphas: Strengths to compare at, in [0, 1].

    Returns:
        One comparison per pair of sizes and alpha.
    """
    comparisons = []
    for seed, (content_size, style_size) in enumerate(CHECKED_SIZES):
        content, style = picture(content_size, 2 * seed), picture(style_size, 2 * seed + 1)
        if isinstance(network, OwnStyleNetwork):
            style = own_painting(network, seed, style_size)
        for alpha in alphas:
            difference = runner(content, style, alpha) - network(content, style, alpha)
            comparisons.append(
                Comparison(content_size, style_size, alpha, difference.abs().max().item())
            )
    return comparisons


def own_painting(network: OwnStyleNetwork, number: int, size: Sequence[int]) -> Tensor:
    """Return one of the paintings that a network knows, in the middle of an image.

    Args:
        network: The network.
        number: Any number, which chooses the painting.
        size: Height and width in pixels.

    Returns:
        ``(1, 3, H, W)`` in [0, 1].
    """
    pictures = list(network.paintings.pictures().values())
    square = pictures[number % len(pictures)][None] / 255
    side = min(size)
    square = nn.functional.interpolate(square, (side, side), mode="area")
    top, left = ((length - side) // 2 for length in size)
    below, right = size[0] - side - top, size[1] - side - left
    return nn.functional.pad(square, (left, right, top, below), mode="replicate")


def picture(size: Sequence[int], seed: int) -> Tensor:
    """Return a random image with large and small shapes and grain.

    Args:
        size: Height and width in pixels.
        seed: Seed of the random generator.

    Returns:
        ``(1, 3, H, W)`` in [0, 1].
    """
    generator = torch.Generator().manual_seed(seed)
    images = torch.zeros(1, 3, *size)
    for cells, contrast in ((4, 0.6), (16, 0.3)):
        cloud = torch.rand(1, 3, cells, cells, generator=generator)
        images += contrast * nn.functional.interpolate(cloud, tuple(size), mode="bicubic")
    return (images + 0.1 * torch.rand(images.shape, generator=generator)).clamp(0, 1)
