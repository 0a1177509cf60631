r"""The target of the local feature loss of AdaAttN and DatNet, and how low the loss can get.

    python -m experiments.measurements.local_target --content PHOTOS --style PAINTINGS --size 224 \
        --crop 128 --networks datnet_full runs/datnet_dual/network.safetensors

The target is the output of attention without learnable parts on the features of both images. The
first table shows, by level, how similar the target is to the content and how smooth it is. The
second shows the loss of several images: the photograph, the painting, a gray image, the networks'
results as they are and 1.2 times as bright, and pixels optimized from the photograph for the
objective of datnet_dual.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from datnet.commands.arguments import whole
from datnet.errors import DatNetError
from datnet.evaluation.markdown import aligned
from datnet.images.embedded import sample_images
from datnet.images.finding import find_images
from datnet.images.tensors import read_square
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.zoo import vgg_encoder
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network

LEVELS = (3, 4, 5)
BRIGHTER = 1.2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.local_target",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--content", type=Path, help="photographs (default: sample set)")
    parser.add_argument("--style", type=Path, help="paintings (default: sample set)")
    parser.add_argument("--pairs", type=whole(1), default=8, help="default: 8")
    parser.add_argument("--size", type=int, default=224, help="side of the squares (default: 224)")
    parser.add_argument("--crop", type=int, default=128, help="of their middle (default: 128)")
    parser.add_argument("--networks", nargs="*", default=[], help="names or files")
    parser.add_argument(
        "--steps", type=int, default=60, help="of the optimization (default: 60; 0 for none)"
    )
    arguments = parser.parse_args()
    try:
        measure(arguments)
    except DatNetError as error:
        sys.exit(f"error: {error}")


def measure(arguments: argparse.Namespace) -> None:
    """Print both tables.

    Raises:
        DatNetError: If pictures or weights are missing.
    """
    encoder = vgg_encoder("vgg16")
    content, style = (
        middle(folder, arguments.pairs, arguments.size, arguments.crop)
        for folder in (
            arguments.content or sample_images().eval_content,
            arguments.style or sample_images().eval_style,
        )
    )
    pictures = {"photograph": content, "painting": style, "gray": torch.full_like(content, 0.5)}
    with torch.no_grad():
        for name in arguments.networks:
            stylized = load_network(find_network(name), encoder)(content, style).clamp(0, 1)
            pictures[name] = stylized
            pictures[f"{name}, brighter"] = (stylized * BRIGHTER).clamp(0, 1)
        content_features, style_features = encoder(content), encoder(style)
    targets = terms.local_feature_targets(content_features, style_features, LEVELS)
    if arguments.steps:
        pictures["optimized pixels"] = optimized(
            content, targets, style_features, encoder, arguments.steps
        )

    with torch.no_grad():
        rows = [["level", "similarity to content", "of neighbors: target", "content", "painting"]]
        for level, target in zip(LEVELS, targets, strict=True):
            maps = target, content_features[level - 1], style_features[level - 1]
            likeness = [correlation(target, maps[1]), *(of_neighbors(each) for each in maps)]
            rows.append([str(level), *(f"{value:.2f}" for value in likeness)])
        losses = [["picture", *(f"level {level}" for level in LEVELS), "local feature", "global"]]
        for name, images in pictures.items():
            features = encoder(images)
            local = [loss.item() for loss in terms.errors_of_levels(features, targets, LEVELS)]
            distance = terms.global_style(features, style_features).item()
            values = [*local, sum(local), distance]
            losses.append([name, *(f"{value:.1f}" for value in values)])
    print(
        f"{len(content)} pairs, {arguments.crop} × {arguments.crop} pixels of "
        f"{arguments.size} × {arguments.size}, VGG-16 with Gatys' normalisation\n"
    )
    print(f"{aligned(rows)}\n\n{aligned(losses)}")


def middle(folder: Path, count: int, size: int, crop: int) -> Tensor:
    """Read the center crops of the first images of a folder.

    Args:
        folder: Folder of images.
        count: Number of images.
        size: Side of the squares in pixels.
        crop: Side of the crops in pixels.

    Returns:
        ``(count, 3, crop, crop)`` in [0, 1].
    """
    start = (size - crop) // 2
    squares = torch.cat([read_square(file, size) for file in find_images(folder)[:count]])
    return squares[:, :, start : start + crop, start : start + crop]


def optimized(
    content: Tensor,
    targets: Sequence[Tensor],
    style_features: Sequence[Tensor],
    encoder: VggEncoder,
    steps: int,
) -> Tensor:
    """Minimize 3 · local feature + 10 · global style over pixels, with Adam from the content.

    Args:
        content: ``(B, 3, H, W)`` in [0, 1].
        targets: Targets of the local feature loss at :data:`LEVELS`.
        style_features: Features of the styles at all levels.
        encoder: The encoder of the loss.
        steps: Steps of the optimizer.

    Returns:
        Images of the content's shape in [0, 1].
    """
    pixels = content.clone().requires_grad_()
    optimizer = torch.optim.Adam([pixels], lr=0.02)
    for _ in tqdm(range(steps), unit="step"):
        optimizer.zero_grad()
        features = encoder(pixels)
        loss = 3 * torch.stack(terms.errors_of_levels(features, targets, LEVELS)).sum()
        loss = loss + 10 * terms.global_style(features, style_features)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)
    return pixels.detach()


def of_neighbors(maps: Tensor) -> float:
    """Return the correlation of positions with their right neighbors."""
    return correlation(maps[..., 1:], maps[..., :-1])


def correlation(first: Tensor, second: Tensor) -> float:
    """Compute the correlation over positions, pooled over channels and images.

    Args:
        first: ``(B, C, H, W)``.
        second: The same shape.

    Returns:
        In [-1, 1].
    """
    first, second = (maps - maps.mean((2, 3), keepdim=True) for maps in (first, second))
    return ((first * second).sum() / (first.square().sum() * second.square().sum()).sqrt()).item()


if __name__ == "__main__":
    main()
