"""Mean activations over photographs, by which the encoder's channels are rescaled.

The means of torchvision's VGG-16 were measured on 314 everyday photographs with short sides of up
to 352 pixels and travel with the package. Those of any other network are measured once, on the
photographs of the embedded sample set, and kept in the user's cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torchvision.transforms.functional import to_tensor

from datnet import weights as weight_files

if TYPE_CHECKING:
    from datnet.networks.vgg import VggEncoder

# A channel that photographs never excite keeps a finite scale.
SMALLEST_MEAN = 1e-4


def channel_means(encoder: VggEncoder) -> list[Tensor]:
    """Mean activation of every channel behind every convolution of an encoder that is not rescaled.

    Args:
        encoder: The encoder with its original weights.

    Returns:
        One vector ``(C,)`` per convolution, in order.
    """
    file_name = f"{encoder.arch}-{_digest(encoder)}.safetensors"
    packaged = Path(__file__).parent / "channel_means" / file_name
    cached = weight_files.cache_dir() / "channel_means" / file_name
    if not packaged.exists() and not cached.exists():
        from datnet.data.sample import sample_images  # networks need data for this alone

        photographs = sorted(sample_images().train_content.iterdir())
        save_means(measure_channel_means(encoder, photographs), cached)
    stored = load_file(packaged if packaged.exists() else cached)
    return [stored[f"{index:02d}"] for index in range(len(stored))]


@torch.no_grad()
def measure_channel_means(encoder: VggEncoder, photographs: Iterable[Path]) -> list[Tensor]:
    """Measure mean activations over all photographs and positions, each photograph counting alike.

    Args:
        encoder: The encoder with its original weights.
        photographs: Image files with sides of at least 32.

    Returns:
        One vector ``(C,)`` per convolution, in order.
    """
    sums: list[Tensor] = []
    count = 0
    for path in photographs:
        with Image.open(path) as image:
            activations = to_tensor(image.convert("RGB"))[None]
        means = []
        for layer in encoder.layers():
            activations = layer(activations)
            if isinstance(layer, torch.nn.ReLU):
                means.append(activations.double().mean(dim=(0, 2, 3)))
        sums = [a + b for a, b in zip(sums, means, strict=True)] if sums else means
        count += 1
    return [(total / count).float().clamp(min=SMALLEST_MEAN) for total in sums]


def save_means(means: Iterable[Tensor], path: Path) -> None:
    """Write measured means to a file that :func:`channel_means` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    save_file({f"{index:02d}": mean for index, mean in enumerate(means)}, temporary)
    temporary.replace(path)


def _digest(encoder: VggEncoder) -> str:
    digest = hashlib.sha256()
    # The first convolution has the input's normalisation folded in, whose rounding may differ
    # between machines; all others are bit for bit those of the file.
    for layer in encoder.convolutions()[1:]:
        digest.update(layer.weight.numpy().tobytes())
        digest.update(layer.bias.numpy().tobytes())
    return digest.hexdigest()[:8]
