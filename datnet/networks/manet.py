"""MANet: Arbitrary Style Transfer via Multi-Adaptation Network.

Yingying Deng, Fan Tang, Weiming Dong, Wen Sun, Feiyue Huang and Changsheng Xu, ACM Multimedia 2020,
arXiv 2005.13219.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.decoder import Decoder
from datnet.networks.sanet import StyleAttention
from datnet.networks.statistics import full_precision, normalize_channels
from datnet.networks.vgg import VggEncoder


class ChannelSelfAttention(nn.Module):
    """Rearrange the channels of style features by their likeness to each other and add them.

    Not :class:`~datnet.networks.sanet.StyleAttention` turned round: here the query and the key see
    the features as they are and the value sees them normalised, and the weights are transposed
    behind the softmax. They compare sums over all positions without a scale, so for a large image
    the softmax picks single channels.

    Args:
        channels: Channels of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Attend among the channels of ``(B, C, H, W)``: ``(B, C, H, W)``."""
        # Products summed over thousands of positions reach the thousands: 16 bits are not enough.
        with torch.autocast(features.device.type, enabled=False):
            features = full_precision(features)
            query = self.query(features).flatten(2)
            key = self.key(features).flatten(2)
            value = self.value(normalize_channels(features)).flatten(2)
            weights = torch.softmax(query @ key.mT, dim=-1)  # (B, C, C)
            attended = weights.mT @ value
        return self.out(attended.view(features.shape)) + features


class MANet(EncoderDecoderNetwork):
    """Three attentions at relu4_1: in the content, in the style, and between the two.

    They differ in what they normalise and over what they attend:

    =============  =========  =============  ==========  ===================
    adaptation     attention  query and key  value       added to
    =============  =========  =============  ==========  ===================
    content        positions  normalised     as it is    the content
    style          channels   as they are    normalised  the style
    co-adaptation  positions  normalised     as it is    the adapted content
    =============  =========  =============  ==========  ===================

    Any size works. The published scripts always resize to 512 × 512, and their network encodes up
    to relu5_1, which the objective alone needs. Content is blended with its transfer to itself, as
    published.

    Args:
        encoder: The frozen encoder, used up to relu4_1.
    """

    encoder_depth = 4

    attention_parts = ("content_adaptation", "style_adaptation", "co_adaptation")

    def __init__(self, encoder: VggEncoder) -> None:
        super().__init__(encoder)
        self.content_adaptation = StyleAttention(512)
        self.style_adaptation = ChannelSelfAttention(512)
        self.co_adaptation = StyleAttention(512)
        self.decoder = Decoder()

    def transfer(
        self, content_features: Sequence[Tensor], style_features: Sequence[Tensor]
    ) -> list[Tensor]:
        """Adapt content and style, then one to the other, ``[(B, 512, H/8, W/8)]``."""
        content = self.content_adaptation(content_features[3], content_features[3])
        style = self.style_adaptation(style_features[3])
        return [self.co_adaptation(content, style)]

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Paint images from the co-adapted features."""
        return self.decoder(fused[0])
