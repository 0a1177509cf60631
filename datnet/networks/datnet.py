"""DatNet: artistic style transfer with dual attention and a content restoration loss (2025).

A frozen VGG encodes both images. Channel attention (ECA) re-weights the features of all levels,
spatial attention (AdaAttN) fuses content and style at relu3_1, relu4_1 and relu5_1, and a decoder
paints the result.

A fact worth knowing: ECA scales a channel by a positive number and normalisation divides it out
again, so in queries, keys and content the gate cancels; channel attention acts through the values
of the style almost alone. That is the paper's design, and ours follows it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from datnet.networks.attention import (
    AdaptiveAttentionNorm,
    EfficientChannelAttention,
    Resize,
    attention_key,
)
from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.decoder import Convolution, SkipDecoder
from datnet.networks.sanet import merge_levels
from datnet.networks.vgg import CHANNELS, VggEncoder


class DatNet(EncoderDecoderNetwork):
    """The network of the paper; without channel attention it is AdaAttN.

    Args:
        encoder: The frozen encoder.
        channel_attention: Whether ECA re-weights the encoder's features. Without it the modules
            are absent, not skipped, so parameter counts are those of the variant.
        resize: How attention keys shrink shallow features: "bilinear" (paper) or "nearest".
        max_style_positions: Style positions that attention sees in training at most.
        relu3_fusion: One more 1 × 1 convolution where relu3_1 joins the decoder, see
            :class:`~datnet.networks.decoder.SkipDecoder`.
    """

    def __init__(
        self,
        encoder: VggEncoder,
        channel_attention: bool = True,
        resize: Resize = "bilinear",
        max_style_positions: int = 4096,
        relu3_fusion: bool = False,
    ) -> None:
        super().__init__(encoder)
        self.resize = resize
        self.attention3 = AdaptiveAttentionNorm(256, sum(CHANNELS[:3]), max_style_positions)
        self.attention4 = AdaptiveAttentionNorm(512, sum(CHANNELS[:4]), max_style_positions)
        self.attention5 = AdaptiveAttentionNorm(512, sum(CHANNELS[:5]), max_style_positions)
        self.merge = Convolution(512, 512)
        self.decoder = SkipDecoder(relu3_fusion)
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d) and not name.startswith("encoder."):
                nn.init.normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.channel_attention = (
            nn.ModuleList(EfficientChannelAttention(channels) for channels in CHANNELS)
            if channel_attention
            else None
        )

    def attend_channels(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Re-weight the channels of all five levels; the same gates' kernels for both images."""
        if self.channel_attention is None:
            return list(features)
        return [
            attend(level) for attend, level in zip(self.channel_attention, features, strict=True)
        ]

    def transfer(
        self, content_features: Sequence[Tensor], style_features: Sequence[Tensor]
    ) -> list[Tensor]:
        """Spatial attention at three levels.

        Returns:
            Level 3, ``(B, 256, H/4, W/4)``, and levels 4 and 5 merged, ``(B, 512, H/8, W/8)``.
        """
        content = self.attend_channels(content_features)
        style = self.attend_channels(style_features)
        level3, level4, level5 = (
            attention(
                content[level - 1],
                style[level - 1],
                attention_key(content, level, self.resize),
                attention_key(style, level, self.resize),
            )
            for level, attention in (
                (3, self.attention3),
                (4, self.attention4),
                (5, self.attention5),
            )
        )
        return [level3, self.merge(merge_levels(level4, level5))]

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Paint images from the fused features of level 3 and of levels 4 and 5."""
        level3, level4_and_5 = fused
        return self.decoder(level4_and_5, level3)
