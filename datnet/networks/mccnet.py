"""MCCNet: Arbitrary Video Style Transfer via Multi-Channel Correlation.

Yingying Deng, Fan Tang, Weiming Dong, Haibin Huang, Chongyang Ma and Changsheng Xu, AAAI 2021,
arXiv 2009.08003.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.decoder import Decoder
from datnet.networks.statistics import full_precision, normalize_channels
from datnet.networks.vgg import VggEncoder

SMALLEST_MEAN = 1e-5
"""Smallest divisor in :func:`channel_gains`, above the rounding error of a float32 mean."""


def channel_gains(style: Tensor) -> Tensor:
    """Sum of squares divided by the sum, for each channel of the projected style features.

    The input of the projection has mean 0, so the mean of a channel is its bias ``b``, and the gain
    is ``b + variance / b``. Near 0 the divisor keeps its sign and a magnitude of at least
    ``SMALLEST_MEAN``.

    Args:
        style: Projected style features ``(B, C, H, W)``.

    Returns:
        Gains ``(B, C)``, at least float32.
    """
    style = full_precision(style)
    mean = style.mean(dim=(2, 3))
    magnitude = mean.abs().clamp(min=SMALLEST_MEAN)
    divisor = torch.where(mean < 0, -magnitude, magnitude)  # ONNX has no copysign
    return style.square().mean(dim=(2, 3)) / divisor


class ChannelCorrelation(nn.Module):
    """Scale content channels by gains from all style channels, with a residual connection.

    The gains contain a division by the bias of ``style``. In the published code a bias of 0 gives
    NaN, and the biases start within ±0.044, which gives gains of ±1000. Here they start at 1: with
    default weights the channels have a variance of about 1/3, so the gains are about 4/3, follow
    the variance linearly, and stay far from a division by 0. The formula is the published one.

    Args:
        channels: Channels of the content and style features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.content = nn.Conv2d(channels, channels, 1)
        self.style = nn.Conv2d(channels, channels, 1)
        self.mix = nn.Linear(channels, channels)
        self.out = nn.Conv2d(channels, channels, 1)
        self.style.bias = nn.Parameter(torch.ones(channels))

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Scale the content's channels by the style's gains.

        Args:
            content: Content features ``(B, C, H, W)``.
            style: Style features ``(B, C, Hs, Ws)``, of any size.

        Returns:
            ``(B, C, H, W)``.
        """
        # The variance, and gains that may be large, need more than 16 bits.
        with torch.autocast(style.device.type, enabled=False):
            projected = self.style(normalize_channels(style))
            gains = self.mix(channel_gains(projected))[:, :, None, None]
        return self.out(self.content(normalize_channels(content)) * gains) + content


class MCCNet(EncoderDecoderNetwork):
    """Multi-channel correlation at relu4_1: one gain per channel from all style channels.

    The published module has an additional 1 × 1 convolution ``h`` of 262 656 parameters that is
    never used; it is left out here. Any image size works. The published network encodes up to
    relu5_1, which only the losses need, and resizes the style so that its shorter side equals the
    content's longer side. The gains do not depend on the number of positions, so here the caller
    chooses the sizes.

    Args:
        encoder: The frozen encoder, used up to relu4_1.
    """

    encoder_depth = 4

    attention_parts = ("correlation",)

    def __init__(self, encoder: VggEncoder) -> None:
        super().__init__(encoder)
        self.correlation = ChannelCorrelation(512)
        self.decoder = Decoder()

    def transfer(
        self, content_features: Sequence[Tensor], style_features: Sequence[Tensor]
    ) -> list[Tensor]:
        """Content features scaled by the style's gains.

        Args:
            content_features: relu1_1 … relu4_1 of the content.
            style_features: relu1_1 … relu4_1 of the style.

        Returns:
            ``[(B, 512, H/8, W/8)]``.
        """
        return [self.correlation(content_features[3], style_features[3])]

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Decode the scaled features to images."""
        return self.decoder(fused[0])
