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
from datnet.networks.ops.convolution import BilinearUpsample, Convolution
from datnet.networks.statistics import full_precision

CHANNELS = 64
"""Channels of both feature levels, at a quarter of the image's sides."""


class ResidualBlock(nn.Module):
    """Two convolutions with a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Convolution(CHANNELS, CHANNELS)
        self.conv2 = Convolution(CHANNELS, CHANNELS)

    def forward(self, features: Tensor) -> Tensor:
        """Refine features ``(B, 64, H/4, W/4)``."""
        return features + self.conv2(torch.relu(self.conv1(features)))


class MicroEncoder(nn.Module):
    """Micro encoder: images to two feature levels of the same size. 157 792 parameters."""

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
    """Style features to the modulation signals of the decoder's convolutions.

    A weight and a bias per channel for each level: depthwise convolution and global average
    pooling.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight1 = Convolution(CHANNELS, CHANNELS, groups=CHANNELS)
        self.bias1 = Convolution(CHANNELS, CHANNELS, groups=CHANNELS)
        self.weight2 = Convolution(CHANNELS, CHANNELS, groups=CHANNELS)
        self.bias2 = Convolution(CHANNELS, CHANNELS, groups=CHANNELS)

    def forward(self, level1: Tensor, level2: Tensor) -> list[Tensor]:
        """Compute the modulation signals.

        Args:
            level1: Style features ``(B, 64, Hs/4, Ws/4)``.
            level2: Style features ``(B, 64, Hs/4, Ws/4)``.

        Returns:
            [weight 1, bias 1, weight 2, bias 2], each ``(B, 64, 1, 1)``, at least float32.
        """
        maps = (self.weight1(level1), self.bias1(level1), self.weight2(level2), self.bias2(level2))
        return [full_precision(each).mean(dim=(2, 3), keepdim=True) for each in maps]


class ModulatedBlock(nn.Module):
    """Residual block with filter modulation: ``weight · conv(x) + bias · x``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Convolution(CHANNELS, CHANNELS)
        self.conv2 = Convolution(CHANNELS, CHANNELS)

    def forward(self, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Refine features with the style's modulation signals.

        Args:
            features: ``(B, 64, H/4, W/4)``.
            weight: ``(B, 64, 1, 1)``.
            bias: ``(B, 64, 1, 1)``.

        Returns:
            ``(B, 64, H/4, W/4)``.
        """
        inner = torch.relu(weight * self.conv1(features) + bias * features)
        return features + weight * self.conv2(inner) + bias * inner


class MicroDecoder(nn.Module):
    """Micro decoder: AdaIN and filter modulation twice, the deeper level first, then upsampling."""

    def __init__(self) -> None:
        super().__init__()
        self.modulated2 = ModulatedBlock()
        self.modulated1 = ModulatedBlock()
        self.to_image = nn.Sequential(
            BilinearUpsample(),
            Convolution(64, 32, groups=32), nn.ReLU(),
            nn.Conv2d(32, 32, 1), nn.ReLU(),
            BilinearUpsample(),
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
        """Decode content features in the given styles.

        Args:
            content: Level 2 of the content images, ``(B, 64, H/4, W/4)``.
            styles: One or more results of :meth:`MicroAST.encode_style`.
            weights: Weight of each style; they sum to 1.

        Returns:
            Images with four times the sides of the features, not clamped.
        """
        levels1, levels2, *signals = zip(*styles, strict=True)
        weight1, bias1, weight2, bias2 = (weighted_sum(each, weights) for each in signals)
        features = adapt(content, levels2, weights)
        features = self.modulated2(features, weight2, bias2)
        features = adapt(features, levels1, weights)
        return self.to_image(self.modulated1(features, weight1, bias1))


def adapt(content: Tensor, styles: Sequence[Tensor], weights: Sequence[float | Tensor]) -> Tensor:
    """AdaIN of content features with a weighted mixture of styles.

    AdaIN is linear in the style's mean and standard deviation, so this averages the styles'
    statistics.

    Args:
        content: Content features ``(B, C, H, W)``.
        styles: Style features ``(B, C, Hs, Ws)``, one tensor for each style.
        weights: Weight of each style; they sum to 1.

    Returns:
        ``(B, C, H, W)``.
    """
    return weighted_sum([adaptive_instance_norm(content, style) for style in styles], weights)


class MicroAST(StyleTransferNetwork):
    """Two micro encoders, a modulator and a micro decoder, without VGG. 471 987 parameters.

    All parts are trained. The style acts on features (AdaIN) and on filters (modulation signals).
    With ``alpha`` below 1 the content is mixed in as one more style. The published code only
    weakens AdaIN and keeps the modulation signals at full strength; with its weights every
    ``alpha`` strictly between 0 and 1 gives one flat color.

    Any image size works. The output of the published network is rounded up to multiples of 4; here
    it is cropped to the content's size.
    """

    def __init__(self) -> None:
        super().__init__()
        self.content_encoder = MicroEncoder()
        self.style_encoder = MicroEncoder()
        self.modulator = Modulator()
        self.decoder = MicroDecoder()

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """[level 1, level 2, the images], the levels ``(B, 64, H/4, W/4)``.

        The decoder starts from level 2. For ``alpha`` below 1 the images are encoded as a style,
        too.
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
        """Stylize encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The channel statistics and the modulation signals of all styles are averaged.

        Pixel (0, 0) stays at the corner of each level, so the crop removes pixels on the right and
        at the bottom.
        """
        _, level2, images = content_features
        shares: list[float | Tensor] = list(weights)
        if isinstance(alpha, Tensor) or alpha < 1:
            styles = [*styles, self.encode_style(images)]
            shares = [*(alpha * share for share in shares), 1 - alpha]
        return self.decoder(level2, styles, shares)[:, :, : size[0], : size[1]]
