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
"""Smallest divisor in :func:`channel_gains`, above the rounding of a float32 mean."""


def channel_gains(style: Tensor) -> Tensor:
    """Sum of squares over sum, for every channel of projected style features.

    The projection's input has mean 0, so a channel's mean is its bias ``b`` and the gain is
    ``b + variance / b``. Near 0 the divisor keeps its sign and a magnitude of ``SMALLEST_MEAN``.

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
    """Scale content channels by what all style channels say, and add them to the content.

    The gains divide by the bias of ``style``: at 0 the published code gives NaN, and its biases
    start within ±0.044, which makes gains of ±1000. Here they start at 1: default weights give
    channels a variance of about 1/3, hence gains of about 4/3 that follow the variance one to one,
    and a division by 0 is far away. The formula is the published one.

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
        """Scale content ``(B, C, H, W)`` by the gains of style ``(B, C, Hs, Ws)``."""
        # The variance around a mean, and gains that may be large, need more than 16 bits.
        with torch.autocast(style.device.type, enabled=False):
            projected = self.style(normalize_channels(style))
            gains = self.mix(channel_gains(projected))[:, :, None, None]
        return self.out(self.content(normalize_channels(content)) * gains) + content


class MCCNet(EncoderDecoderNetwork):
    """One gain per channel at relu4_1, computed from all channels of the style, and a decoder.

    The published module has one more 1 × 1 convolution ``h`` of 262 656 parameters that nothing
    uses; ours lacks it. Any size works. The published network encodes up to relu5_1, which the
    objective alone needs, and enlarges the style so that its shorter side is as long as the
    content's longer; the gains do not depend on the number of positions, and we leave sizes to the
    caller.

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
        """Content features with the style's gains, ``[(B, 512, H/8, W/8)]``."""
        return [self.correlation(content_features[3], style_features[3])]

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Paint images from the scaled features."""
        return self.decoder(fused[0])
