"""The frozen VGG encoder of the networks and the losses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from datnet.networks.ops.convolution import Convolution
from datnet.networks.ops.strips import in_strips

Architecture = Literal["vgg19", "vgg16"]

CHANNELS = (64, 128, 256, 512, 512)
"""Channels of relu1_1 … relu5_1."""

CONVOLUTIONS_PER_BLOCK = {"vgg19": (2, 2, 4, 4, 1), "vgg16": (2, 2, 3, 3, 1)}
"""Convolutions between two poolings, as far as relu5_1 needs them."""

MARGIN = 4
"""Margin of strips in rows of a stage's output: three convolutions, pooling and a convolution."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class VggEncoder(nn.Module):
    """VGG up to relu5_1 (Simonyan and Zisserman, ICLR 2015), frozen, for RGB in [0, 1].

    It uses reflection padding and ceil-mode pooling, like all networks of this family, so sizes
    that are not multiples of 16 work. The ImageNet normalization of the input is folded into the
    first convolution, which is exact since reflection padding commutes with it.

    With ``normalized``, each channel of each convolution is rescaled so that its mean activation
    over photographs is 1 (Gatys et al., CVPR 2016). ReLU and max pooling are positively
    homogeneous, so the features are exactly the original ones divided by those means. The loss
    weights of AdaIN, SANet, AdaAttN, DatNet and others assume this scale.

    The weights are random until :meth:`load`; :func:`datnet.zoo.vgg_encoder` gives an encoder with
    ImageNet weights.

    >>> encoder = VggEncoder("vgg16")
    >>> [tuple(features.shape) for features in encoder(torch.rand(1, 3, 64, 48))]
    [(1, 64, 64, 48), (1, 128, 32, 24), (1, 256, 16, 12), (1, 512, 8, 6), (1, 512, 4, 3)]

    Args:
        arch: "vgg19" (as in the papers) or "vgg16" (a download of 64 MB instead of 548 MB).
        normalized: Whether loaded weights are to be rescaled.

    Attributes:
        weights: What is loaded: "imagenet", the path of a file, or None for random weights.

    Raises:
        ValueError: If ``arch`` is neither.
    """

    def __init__(self, arch: Architecture = "vgg19", normalized: bool = True) -> None:
        super().__init__()
        if arch not in CONVOLUTIONS_PER_BLOCK:
            raise ValueError(f'arch is "{arch}"; it can be "vgg19" or "vgg16"')
        self.arch = arch
        self.weights: str | None = None
        self.normalized = normalized
        self.stages = nn.ModuleList(_build_stages(CONVOLUTIONS_PER_BLOCK[arch]))
        self.requires_grad_(False)
        self.eval()
        for layer in self.convolutions():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def layers(self) -> list[nn.Module]:
        """All layers in order: convolutions, ReLUs and poolings."""
        return [module for module in self.stages.modules() if not list(module.children())]

    def convolutions(self) -> list[Convolution]:
        """All convolutions in order, conv1_1 … conv5_1."""
        return [layer for layer in self.layers() if isinstance(layer, Convolution)]

    def forward(self, images: Tensor, depth: int = 5) -> list[Tensor]:
        """Encode images.

        Args:
            images: ``(B, 3, H, W)``, float RGB in [0, 1], sides of at least 32.
            depth: Number of levels to compute, 1 … 5.

        Returns:
            Features relu1_1 … relu5_1 with 64, 128, 256, 512, 512 channels at strides 1, 2, 4, 8,
            16 (sizes rounded up).
        """
        return list(self.levels(images, depth))

    def levels(self, images: Tensor, depth: int = 5) -> Iterator[Tensor]:
        """Yield the features of :meth:`forward` one by one, so that they can be freed early.

        Args:
            images: ``(B, 3, H, W)``, float RGB in [0, 1], sides of at least 32.
            depth: Number of levels to compute, 1 … 5.

        Yields:
            Features of the next level, ``(B, C, H, W)``.
        """
        for number, stage in enumerate(self.stages[:depth]):
            halved = 2 if number > 0 else 1
            batch, channels, _, width = images.shape
            images = in_strips(
                stage,
                [images],
                input_rows=[halved],
                output_rows=1,
                margin=MARGIN,
                numbers_per_row=batch * max(channels, CHANNELS[0]) * width * halved,
            )
            yield images

    def train(self, mode: bool = True) -> VggEncoder:
        """Stay in evaluation mode, since the encoder is frozen."""
        return super().train(False)

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], weights: str) -> None:
        """Load weights that expect images normalized with ImageNet's mean and standard deviation.

        Args:
            tensors: ``NAME.I.weight`` ``(C_out, C_in, 3, 3)`` and ``NAME.I.bias`` ``(C_out,)`` of
                the convolutions, with I increasing from conv1_1; those after conv5_1 are ignored.
            weights: The value of the attribute of this name.
        """
        names = sorted(
            (name.removesuffix(".weight") for name in tensors if name.endswith(".weight")),
            key=lambda name: int(name.rpartition(".")[2]),
        )
        for layer, name in zip(self.convolutions(), names, strict=False):
            layer.weight.copy_(tensors[f"{name}.weight"])
            layer.bias.copy_(tensors[f"{name}.bias"])
        first = self.convolutions()[0]
        std = torch.tensor(IMAGENET_STD)[:, None, None]
        first.weight.div_(std)
        mean = torch.tensor(IMAGENET_MEAN)[:, None, None]
        first.bias.sub_((first.weight * mean).sum((1, 2, 3)))
        self.weights = weights

    @torch.no_grad()
    def rescale(self, means: Sequence[Tensor]) -> None:
        """Divide each channel of each convolution by its mean activation.

        Args:
            means: One vector ``(C,)`` per convolution, in order, measured with the loaded weights.
        """
        previous = torch.ones(3)
        for layer, mean in zip(self.convolutions(), means, strict=True):
            layer.weight.mul_(previous[:, None, None]).div_(mean[:, None, None, None])
            layer.bias.div_(mean)
            previous = mean


def _build_stages(convolutions_per_block: Iterable[int]) -> list[nn.Sequential]:
    """Split VGG after relu1_1, relu2_1, …: each stage ends with the first ReLU of a block."""
    stages: list[list[nn.Module]] = [[]]
    in_channels = 3
    for block, (count, channels) in enumerate(zip(convolutions_per_block, CHANNELS, strict=True)):
        if block > 0:
            stages[-1].append(nn.MaxPool2d(2, ceil_mode=True))
        for position in range(count):
            stages[-1] += [Convolution(in_channels, channels), nn.ReLU(inplace=True)]
            in_channels = channels
            if position == 0:
                stages.append([])
    return [nn.Sequential(*layers) for layers in stages if layers]
