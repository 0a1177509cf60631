"""DISTS, a learned similarity of structure and texture."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from datnet.errors import require_extra
from datnet.evaluation.metrics.metric import Metric, Picture
from datnet.networks.vgg import IMAGENET_MEAN, IMAGENET_STD
from datnet.zoo.backbones import load_weights

CHANNELS = (3, 64, 128, 256, 512, 512)
"""Channels of the image and of the last ReLU of each of VGG-16's blocks."""

CONVOLUTIONS = (2, 2, 3, 3, 3)
STABILITY = 1e-6


class Dists(nn.Module):
    """DISTS (Ding, Ma, Wang, Simoncelli, *Unifying Structure and Texture Similarity*, PAMI 2020).

    VGG-16 with ImageNet weights, whose poolings are replaced by the root of Hann-weighted mean
    squares. Global means (texture) and covariances (structure) of six feature maps, the image
    first, are compared by formulas like SSIM's and weighted per channel.

    Args:
        backbone: VGG-16's convolutions by torchvision's names.
        alpha: Weights of the means, ``(1475,)``.
        beta: Weights of the covariances, ``(1475,)``.
    """

    alpha: Tensor
    beta: Tensor
    kernel: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, backbone: dict[str, Tensor], alpha: Tensor, beta: Tensor) -> None:
        super().__init__()
        index, blocks = 0, []
        for count in CONVOLUTIONS:
            layers: list[nn.Module] = []
            for _ in range(count):
                weight = backbone[f"features.{index}.weight"]
                layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
                state = {"weight": weight, "bias": backbone[f"features.{index}.bias"]}
                layer.load_state_dict(state)
                layers += [layer, nn.ReLU()]
                index += 2
            blocks.append(nn.Sequential(*layers))
            index += 1
        self.blocks = nn.ModuleList(blocks)
        total = alpha.sum() + beta.sum()
        hann = torch.tensor([0.25, 0.5, 0.25])
        for name, value in (
            ("alpha", alpha / total),
            ("beta", beta / total),
            ("kernel", hann[:, None] * hann),
            ("mean", torch.tensor(IMAGENET_MEAN)[:, None, None]),
            ("std", torch.tensor(IMAGENET_STD)[:, None, None]),
        ):
            self.register_buffer(name, value, persistent=False)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Encode images.

        Args:
            images: ``(B, 3, H, W)``, float RGB in [0, 1], sides of at least 16.

        Returns:
            The images, then features relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3.
        """
        maps = [images]
        features = (images - self.mean) / self.std
        for number, block in enumerate(self.blocks):
            features = block(self._pool(features) if number else features)
            maps.append(features)
        return maps

    def _pool(self, features: Tensor) -> Tensor:
        kernel = self.kernel.expand(features.shape[1], 1, 3, 3)
        squares = functional.conv2d(
            features.square(), kernel, stride=2, padding=1, groups=features.shape[1]
        )
        return (squares + 1e-12).sqrt()

    def between(self, features: Sequence[Tensor], references: Sequence[Tensor]) -> Tensor:
        """Compute the distances of images to references from their features.

        Args:
            features: From :meth:`forward`, of the images.
            references: From :meth:`forward`, of the references.

        Returns:
            Distances, shape ``(B,)``: 0 for equal images, about 1 for unrelated ones.
        """
        similarities = []
        weights = zip(self.alpha.split(CHANNELS), self.beta.split(CHANNELS), strict=True)
        for x, y, (alpha, beta) in zip(features, references, weights, strict=True):
            x_mean, y_mean = x.mean((2, 3)), y.mean((2, 3))
            x_variance, y_variance = (each.var((2, 3), correction=0) for each in (x, y))
            covariance = ((x - x_mean[..., None, None]) * (y - y_mean[..., None, None])).mean(
                (2, 3)
            )
            texture = (2 * x_mean * y_mean + STABILITY) / (
                x_mean.square() + y_mean.square() + STABILITY
            )
            structure = (2 * covariance + STABILITY) / (x_variance + y_variance + STABILITY)
            similarities.append((alpha * texture + beta * structure).sum(1))
        return 1 - torch.stack(similarities).sum(0)


def learned_dists() -> Dists:
    """Build DISTS with the learned weights that come with the package ``dists-pytorch``.

    Raises:
        DatNetError: If that package is not installed, or VGG-16's weights cannot be found.
    """
    require_extra("metrics")
    spec = find_spec("DISTS_pytorch")
    assert spec is not None
    assert spec.origin is not None
    # Only its file is read: importing the package would build its own VGG-16.
    learned = torch.load(Path(spec.origin).with_name("weights.pt"), weights_only=True)
    return Dists(load_weights("vgg16"), learned["alpha"].flatten(), learned["beta"].flatten())


def features(picture: Picture) -> list[Tensor]:
    """Return the features of a picture, see :class:`Dists`."""
    return picture.networks["dists"](picture.pixels)


NETWORKS = {"dists": learned_dists}


class StructureTextureDistance(Metric):
    """DISTS of result and content, see :class:`Dists`."""

    key = "dists"
    label = "DISTS"
    better = "low"
    decimals = 4
    source = "Ding et al., PAMI 2020"
    networks = NETWORKS
    words = "DISTS against the content image (VGG-16, the authors' learned weights)"

    def prepare_content(self, content: Picture) -> list[Tensor]:
        return content.once(features)

    def measure(self, result: Picture, content: list[Tensor], style: None) -> float:
        network = cast(Dists, result.networks["dists"])
        return network.between(result.once(features), content).item()
