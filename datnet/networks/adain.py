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
    """Give content features ``(B, C, H, W)`` the channel means and deviations of the style's."""
    mean, std = channel_mean_std(style)
    return std * normalize_channels(content) + mean


class AdaIN(EncoderDecoderNetwork):
    """Content features at relu4_1 take the style's channel statistics; a decoder paints them.

    Content transferred to itself is the content's own features, so ``alpha`` blends exactly as in
    the paper's eq. (14).

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
        """The AdaIN output at relu4_1, ``[(B, 512, H/8, W/8)]``."""
        return [adaptive_instance_norm(content_features[3], style_features[3])]

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Paint images from the AdaIN output."""
        return self.decoder(fused[0])
