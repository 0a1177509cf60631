"""MANet: Arbitrary Style Transfer via Multi-Adaptation Network.

Yingying Deng, Fan Tang, Weiming Dong, Wen Sun, Feiyue Huang and Changsheng Xu, ACM Multimedia 2020,
arXiv 2005.13219.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.decoder import Decoder
from datnet.networks.ops.attention_map import QueriesAndKeys
from datnet.networks.sanet import StyleAttention
from datnet.networks.statistics import full_precision, normalize_channels
from datnet.networks.vgg import VggEncoder


class ChannelSelfAttention(nn.Module):
    """Channel-wise self-attention of style features, with a residual connection.

    Not a transposed :class:`~datnet.networks.sanet.StyleAttention`: here query and key take the
    features as they are, the value takes the normalized features, and the attention map is
    transposed after the softmax. The logits are sums over all positions without scaling, so for
    large images the attention is nearly one-hot.

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
        # Logits summed over thousands of positions reach the thousands: 16 bits are not enough.
        with torch.autocast(features.device.type, enabled=False):
            features = full_precision(features)
            query = self.query(features).flatten(2)
            key = self.key(features).flatten(2)
            value = self.value(normalize_channels(features)).flatten(2)
            weights = torch.softmax(query @ key.mT, dim=-1)  # (B, C, C)
            attended = weights.mT @ value
        return self.out(attended.view(features.shape)) + features


class MANet(EncoderDecoderNetwork):
    """Self-attention in the content, self-attention in the style, and co-adaptation, at relu4_1.

    The three attentions differ in their normalization and in the dimension that they attend over:

    =============  =========  =============  ==========  ===================
    adaptation     attention  query and key  value       residual
    =============  =========  =============  ==========  ===================
    content        positions  normalized     as it is    the content
    style          channels   as they are    normalized  the style
    co-adaptation  positions  normalized     as it is    the adapted content
    =============  =========  =============  ==========  ===================

    Any image size works. The published scripts always resize to 512 × 512, and their network
    encodes up to relu5_1, which only the losses need. With ``alpha`` below 1 the content's transfer
    to itself is blended in, as published.

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
        """Content and style self-attention, then co-adaptation.

        Args:
            content_features: relu1_1 … relu4_1 of the content.
            style_features: relu1_1 … relu4_1 of the style.

        Returns:
            ``[(B, 512, H/8, W/8)]``.
        """
        return [self.co_adaptation(*self.adapt(content_features, style_features))]

    def adapt(
        self, content_features: Sequence[Tensor], style_features: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Self-attention: adapted relu4_1 of content and style, which co-adaptation takes."""
        return (
            self.content_adaptation(content_features[3], content_features[3]),
            self.style_adaptation(style_features[3]),
        )

    def attention_levels(
        self,
        content_features: Sequence[Tensor],
        style_features: Sequence[Tensor],
        style_size: Sequence[int],
    ) -> Iterator[QueriesAndKeys]:
        """Yield queries and keys of the co-adaptation at relu4_1."""
        adapted = self.adapt(content_features, style_features)
        yield QueriesAndKeys("relu4_1", 8, *self.co_adaptation.queries_and_keys(*adapted))

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Decode the co-adapted features to images."""
        return self.decoder(fused[0])
