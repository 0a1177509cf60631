"""Mean activations over photographs, used to rescale the encoder's channels.

Photographs are prepared as in VGG's training, with the shorter side resized to 256 pixels and a
center crop of 224 × 224: larger pictures have lower activations at deep levels. The means of
VGG-16 were measured on 1256 everyday photographs and come with the package. Those of any other
network are measured once, on the photographs of the embedded sample set, and kept in the user's
cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from datnet.images.embedded import VERSION, sample_images
from datnet.images.files import write_bytes
from datnet.images.reading import read_image
from datnet.images.resizing import resized_crop
from datnet.images.tensors import to_tensor
from datnet.networks.ops.convolution import Convolution
from datnet.zoo import backbones as weight_files

# VGG's training: short side 256, crops of 224.
SHORT_SIDE = 256
CROP_SIZE = 224

# Keeps the scale of a channel finite if photographs never activate it.
SMALLEST_MEAN = 1e-4


def channel_means(arch: str, layers: Sequence[nn.Module]) -> list[Tensor]:
    """Return the mean activation of every channel after every convolution of an encoder.

    Args:
        arch: Name of the architecture, a part of the file names.
        layers: The encoder's layers in order, with their original, unscaled weights.

    Returns:
        One vector ``(C,)`` per convolution, in order.
    """
    name = f"{arch}-{_digest(layers)}"
    path = Path(__file__).parent / "channel_means" / f"{name}.safetensors"
    if not path.exists():
        # Other photographs have other means, so the name says which they were.
        file_name = f"{name}-sample{VERSION}.safetensors"
        path = weight_files.cache_dir() / "channel_means" / file_name
        if not path.exists():
            photographs = sorted(sample_images().train_content.iterdir())
            save_means(measure_channel_means(layers, photographs), path)
    stored = load_file(path)
    return [stored[f"{index:02d}"] for index in range(len(stored))]


@torch.no_grad()
def measure_channel_means(layers: Sequence[nn.Module], photographs: Iterable[Path]) -> list[Tensor]:
    """Measure mean activations over positions and photographs; every photograph has equal weight.

    Args:
        layers: The encoder's layers in order, with their original weights.
        photographs: Image files.

    Returns:
        One vector ``(C,)`` per convolution, in order.
    """
    sums: list[Tensor] = []
    count = 0
    for path in photographs:
        middle = resized_crop(
            read_image(path),
            short_side=SHORT_SIDE,
            crop_size=CROP_SIZE,
            left=0.5,
            top=0.5,
            flip=False,
        )
        activations = to_tensor(middle)[None]
        means = []
        for layer in layers:
            activations = layer(activations)
            if isinstance(layer, nn.ReLU):
                means.append(activations.double().mean(dim=(0, 2, 3)))
        sums = [a + b for a, b in zip(sums, means, strict=True)] if sums else means
        count += 1
    return [(total / count).float().clamp(min=SMALLEST_MEAN) for total in sums]


def save_means(means: Iterable[Tensor], path: Path) -> None:
    """Write measured means to a file that :func:`channel_means` reads.

    Args:
        means: One vector ``(C,)`` per convolution, in order.
        path: The file.

    Raises:
        OSError: If it cannot be written.
    """
    write_bytes(path, save({f"{index:02d}": mean for index, mean in enumerate(means)}))


def _digest(layers: Sequence[nn.Module]) -> str:
    digest = hashlib.sha256()
    # The first convolution has the input normalization folded in, whose rounding may differ
    # between machines; all others equal those of the file bit for bit.
    convolutions = [layer for layer in layers if isinstance(layer, Convolution)]
    for layer in convolutions[1:]:
        digest.update(layer.weight.numpy().tobytes())
        digest.update(layer.bias.numpy().tobytes())
    return digest.hexdigest()[:8]
