"""AdaIN: Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization.

Xun Huang and Serge Belongie, ICCV 2017, arXiv 1703.06868.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.decoder import Decoder
from datnet.networks.statistics import channel_mean_std, normalize_channels
from datnet.networks.vgg import VggEncoder


def adaptive_instance_norm(content: Tensor, style: Tensor) -> Tensor:
    """AdaIN: normalize content features, then apply the style's mean and std, eq. (8).

    Args:
        content: Content features ``(B, C, H, W)``.
        style: Style features ``(B, C, Hs, Ws)``, of any size.

    Returns:
        ``std(style) · Norm(content) + mean(style)`` per channel, ``(B, C, H, W)``, at least
        float32.
    """
    mean, std = channel_mean_std(style)
    return std * normalize_channels(content) + mean


class AdaIN(EncoderDecoderNetwork):
    """VGG encoder, AdaIN at relu4_1, decoder.

    With ``alpha`` below 1 the AdaIN output is blended with the content features, the paper's eq.
    (14): AdaIN of the content with itself gives the content features.

    Args:
        encoder: The frozen encoder, used up to relu4_1.
    """

    encoder_depth = 4

    def __init__(self, encoder: VggEncoder) -> None:
        super().__init__(encoder)
        self.decoder = Decoder()

    def transfer(
        self, content_features: Sequence[Tensor], style_features: Sequence[Tensor]
    ) -> list[Tensor]:
        """AdaIN at relu4_1.

        Args:
            content_features: relu1_1 … relu4_1 of the content.
            style_features: relu1_1 … relu4_1 of the style.

        Returns:
            ``[(B, 512, H/8, W/8)]``.
        """
        return [adaptive_instance_norm(content_features[3], style_features[3])]

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Decode the AdaIN output to images."""
        return self.decoder(fused[0])
