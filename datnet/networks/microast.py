"""MicroAST: Towards Super-Fast Ultra-Resolution Arbitrary Style Transfer.

Zhizhong Wang, Lei Zhao, Zhiwen Zuo, Ailin Li, Haibo Chen, Wei Xing and Dongming Lu, AAAI 2023,
arXiv 2211.15313.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from datnet.networks.adain import adaptive_instance_norm
from datnet.networks.base import StyleTransferNetwork, weighted_sum
from datnet.networks.ops.convolution import Convolution
from datnet.networks.statistics import full_precision

CHANNELS = 64
"""Channels of both levels of features, at a quarter of the image's size."""


def enlarge() -> nn.Upsample:
    """Double height and width, bilinear."""
    return nn.Upsample(scale_factor=2, mode="bilinear")


class ResidualBlock(nn.Module):
    """Two convolutions whose result is added to their input."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Convolution(CHANNELS, CHANNELS)
        self.conv2 = Convolution(CHANNELS, CHANNELS)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features ``(B, 64, H/4, W/4)``."""
        return features + self.conv2(torch.relu(self.conv1(features)))


class MicroEncoder(nn.Module):
    """From images to two levels of features of the same size. 157 792 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.level1 = nn.Sequential(
            Convolution(3, 16, kernel_size=9), nn.ReLU(),
            Convolution(16, 32, stride=2, groups=16), nn.ReLU(),
            nn.Conv2d(32, 32, 1), nn.ReLU(),
            Convolution(32, 64, stride=2, groups=32), nn.ReLU(),
            nn.Conv2d(64, 64, 1), nn.ReLU(),
            ResidualBlock(),
        )  # fmt: skip
        self.level2 = ResidualBlock()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Encode images ``(B, 3, H, W)``: [level 1, level 2], each ``(B, 64, H/4, W/4)``."""
        level1 = self.level1(images)
        return [level1, self.level2(level1)]


class Modulator(nn.Module):
    """From style features to the signals that modulate the decoder's convolutions.

    A weight and a bias for every channel of each level: a depthwise convolution of the level,
    averaged over its positions.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight1 = Convolution(CHANNELS, CHANNELS, groups=CHANNELS)
        self.bias1 = Convolution(CHANNELS, CHANNELS, groups=CHANNELS)
        self.weight2 = Convolution(CHANNELS, CHANNELS, groups=CHANNELS)
        self.bias2 = Convolution(CHANNELS, CHANNELS, groups=CHANNELS)

    def forward(self, level1: Tensor, level2: Tensor) -> list[Tensor]:
        """Make [weight 1, bias 1, weight 2, bias 2], each ``(B, 64, 1, 1)``, at least float32."""
        maps = (self.weight1(level1), self.bias1(level1), self.weight2(level2), self.bias2(level2))
        return [full_precision(each).mean(dim=(2, 3), keepdim=True) for each in maps]


class ModulatedBlock(nn.Module):
    """A residual block whose convolutions the style's weight scales, with its bias as a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Convolution(CHANNELS, CHANNELS)
        self.conv2 = Convolution(CHANNELS, CHANNELS)

    def forward(self, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Refine features ``(B, 64, H/4, W/4)`` by a weight and a bias ``(B, 64, 1, 1)``."""
        inner = torch.relu(weight * self.conv1(features) + bias * features)
        return features + weight * self.conv2(inner) + bias * inner


class MicroDecoder(nn.Module):
    """From content features to images, modulated twice by the style, the deeper level first."""

    def __init__(self) -> None:
        super().__init__()
        self.modulated2 = ModulatedBlock()
        self.modulated1 = ModulatedBlock()
        self.to_image = nn.Sequential(
            enlarge(),
            Convolution(64, 32, groups=32), nn.ReLU(),
            nn.Conv2d(32, 32, 1), nn.ReLU(),
            enlarge(),
            Convolution(32, 16, groups=16), nn.ReLU(),
            nn.Conv2d(16, 16, 1), nn.ReLU(),
            Convolution(16, 3, kernel_size=9),
        )  # fmt: skip

    def forward(
        self,
        content: Tensor,
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float | Tensor],
    ) -> Tensor:
        """Paint images.

        Args:
            content: Level 2 of the content images, ``(B, 64, H/4, W/4)``.
            styles: One or more of :meth:`MicroAST.encode_style`.
            weights: The share of every style; their sum is 1.

        Returns:
            Images with sides of four times those of the features, not clamped.
        """
        levels1, levels2, *signals = zip(*styles, strict=True)
        weight1, bias1, weight2, bias2 = (weighted_sum(each, weights) for each in signals)
        features = adapt(content, levels2, weights)
        features = self.modulated2(features, weight2, bias2)
        features = adapt(features, levels1, weights)
        return self.to_image(self.modulated1(features, weight1, bias1))


def adapt(content: Tensor, styles: Sequence[Tensor], weights: Sequence[float | Tensor]) -> Tensor:
    """Adaptive instance normalisation of content features to a mixture of styles.

    AdaIN is linear in the style's mean and deviation, so this averages the styles' statistics.
    """
    return weighted_sum([adaptive_instance_norm(content, style) for style in styles], weights)


class MicroAST(StyleTransferNetwork):
    """Two small encoders, a modulator and a small decoder, all trained; no VGG. 471 987 parameters.

    The style acts on features (AdaIN) and on filters (modulation signals). Below an ``alpha`` of 1
    the content is mixed in as one more style. The published code weakens AdaIN alone and leaves the
    signals in full strength; with its weights every alpha between gives one flat colour.

    Any size works: the published network gives images with sides of the next multiple of 4 and
    more, here they are cropped to the content's size.
    """

    def __init__(self) -> None:
        super().__init__()
        self.content_encoder = MicroEncoder()
        self.style_encoder = MicroEncoder()
        self.modulator = Modulator()
        self.decoder = MicroDecoder()

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """[level 1, level 2, the images], the levels ``(B, 64, H/4, W/4)``.

        Images are painted from level 2; they are their own style where ``alpha`` asks for that.
        """
        return [*self.content_encoder(images), images]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """[level 1, level 2, weight 1, bias 1, weight 2, bias 2].

        The levels are ``(B, 64, Hs/4, Ws/4)``, the modulation signals ``(B, 64, 1, 1)``.
        """
        level1, level2 = self.style_encoder(images)
        return [level1, level2, *self.modulator(level1, level2)]

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Paint from encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The styles' channel statistics and their modulation signals are averaged.

        Pixel (0, 0) is the corner of every level, so what the crop cuts off lies at the right and
        at the bottom.
        """
        _, level2, images = content_features
        shares: list[float | Tensor] = list(weights)
        if isinstance(alpha, Tensor) or alpha < 1:
            styles = [*styles, self.encode_style(images)]
            shares = [*(alpha * share for share in shares), 1 - alpha]
        return self.decoder(level2, styles, shares)[:, :, : size[0], : size[1]]
