"""DatNet: artistic style transfer with dual attention and a content restoration loss (2025).

A frozen VGG encodes both images. Channel attention (ECA) re-weights the features of all levels,
spatial attention (AdaAttN) fuses content and style at relu3_1, relu4_1 and relu5_1, and a decoder
paints the result. Of the ablation's variants spatial has neither channel attention nor restoration
loss, dual no restoration loss, full both.

A fact worth knowing: ECA scales a channel by a positive number and normalisation divides it out
again, so in queries, keys and content the gate cancels; channel attention acts through the values
of the style almost alone. That is the paper's design, and ours follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, cast

from annotated_types import Ge
from torch import Tensor, nn

from datnet.networks.attention import (
    AdaptiveAttentionNorm,
    EfficientChannelAttention,
    Resize,
    attention_inputs,
)
from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.decoder import SkipDecoder
from datnet.networks.ops.convolution import Convolution
from datnet.networks.sanet import merge_levels
from datnet.networks.vgg import CHANNELS, VggEncoder


class DatNet(EncoderDecoderNetwork):
    """The network of the paper; without channel attention it is AdaAttN.

    Args:
        encoder: The frozen encoder.
        channel_attention: Whether ECA re-weights the encoder's features. Without it the modules
            are absent, not skipped, so parameter counts are those of the variant.
        resize: How attention keys shrink shallow features, also those of the local feature loss:
            "bilinear" (paper) or "nearest" (AdaAttN's code).
        max_style_positions: Style positions that attention sees in training at most.
        relu3_fusion: One more 1 × 1 convolution where relu3_1 joins the decoder, see
            :class:`~datnet.networks.decoder.SkipDecoder`.
        identity_start: Whether training begins with attention that compares the features
            themselves, see :meth:`AdaptiveAttentionNorm.start_with_features`, instead of random
            projections. Not in the paper; of few steps datnet_full learns more so.
        open_gates: Whether channel attention begins with gates of nearly 1 instead of random ones,
            see :meth:`EfficientChannelAttention.start_open`. Not in the paper; for weights that
            come from a network without channel attention.
    """

    attention_parts = ("attention3", "attention4", "attention5", "channel_attention")

    def __init__(
        self,
        encoder: VggEncoder,
        channel_attention: bool = True,
        resize: Resize = "bilinear",
        max_style_positions: Annotated[int, Ge(1)] = 4096,
        relu3_fusion: bool = False,
        identity_start: bool = False,
        open_gates: bool = False,
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
        if identity_start:
            for attention in (self.attention3, self.attention4, self.attention5):
                attention.start_with_features()
        self.channel_attention = (
            nn.ModuleList(EfficientChannelAttention(channels) for channels in CHANNELS)
            if channel_attention
            else None
        )
        if open_gates and channel_attention:
            for gate in cast("Iterable[EfficientChannelAttention]", self.channel_attention):
                gate.start_open()

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """What attention works on, see :meth:`transfer_inputs`."""
        return self.transfer_inputs(self.encoder.levels(images), images.shape[2:])

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """Content and style are encoded alike."""
        return self.encode_content(images)

    def transfer_inputs(
        self, features: Iterable[Tensor], image_size: Sequence[int]
    ) -> list[Tensor]:
        """Channel attention on all five levels, then the features and keys of levels 3, 4 and 5.

        Args:
            features: Maps of relu1_1 … relu5_1.
            image_size: Height and width of the images.

        Returns:
            relu3_1 and its key, relu4_1 and its key, relu5_1 and its key, each ``(B, C, H, W)``.
        """
        sizes, (height, width) = {}, image_size
        for level in (2, 3, 4, 5):  # the encoder rounds odd sides up when it halves them
            height, width = (height - 1) // 2 + 1, (width - 1) // 2 + 1
            if level > 2:
                sizes[level] = height, width
        attend = cast("Iterable[EfficientChannelAttention] | None", self.channel_attention)
        inputs = attention_inputs(features, sizes, self.resize, attend)
        return [maps for level in inputs for maps in level]

    def transfer(
        self, content_features: Sequence[Tensor], style_features: Sequence[Tensor]
    ) -> list[Tensor]:
        """Spatial attention at three levels.

        Args:
            content_features: From :meth:`encode_content` or :meth:`transfer_inputs`.
            style_features: Likewise.

        Returns:
            Level 3, ``(B, 256, H/4, W/4)``, and levels 4 and 5 merged, ``(B, 512, H/8, W/8)``.
        """
        content3, content3_key, content4, content4_key, content5, content5_key = content_features
        style3, style3_key, style4, style4_key, style5, style5_key = style_features
        level3 = self.attention3(content3, style3, content3_key, style3_key)
        level4 = self.attention4(content4, style4, content4_key, style4_key)
        level5 = self.attention5(content5, style5, content5_key, style5_key)
        return [level3, self.merge(merge_levels(level4, level5))]

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Paint images from the fused features of level 3 and of levels 4 and 5."""
        level3, level4_and_5 = fused
        return self.decoder(level4_and_5, level3)
