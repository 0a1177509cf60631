"""DatNet: artistic style transfer with dual attention and a content restoration loss (2025).

A frozen VGG encodes content and style. Channel attention (ECA) re-weights the features of all five
levels, spatial attention (AdaAttN) fuses content and style at relu3_1, relu4_1 and relu5_1, and a
decoder generates the image. Variants of the ablation study: ``spatial`` has neither channel
attention nor the restoration loss, ``dual`` has channel attention, ``full`` has both.

Note: ECA multiplies a channel by a positive number, and mean–std normalization divides it out
again. In the queries, the keys and the content the gates cancel, so channel attention acts almost
only through the style's values. This follows from the paper's design, which is kept here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from datnet.networks.ops.attention_map import QueriesAndKeys
from datnet.networks.ops.convolution import Convolution
from datnet.networks.sanet import merge_levels
from datnet.networks.vgg import CHANNELS, VggEncoder


class DatNet(EncoderDecoderNetwork):
    """DatNet; without channel attention it is AdaAttN.

    >>> import torch
    >>> network = DatNet(VggEncoder("vgg16")).eval()
    >>> content, style = torch.rand(1, 3, 60, 48), torch.rand(1, 3, 40, 40)
    >>> network(content, style).shape
    torch.Size([1, 3, 60, 48])

    Args:
        encoder: The frozen encoder.
        channel_attention: Whether ECA re-weights the encoder features. Without it the modules are
            absent, so parameter counts are those of the variant.
        resize: Downsampling of shallow features in the attention keys, also for the local feature
            loss: "bilinear" (paper) or "nearest" (AdaAttN's code).
        max_style_positions: Maximum number of style positions that attention uses in training.
        relu3_fusion: Adds a 1 × 1 convolution at the skip connection from relu3_1, see
            :class:`~datnet.networks.decoder.SkipDecoder`.
        identity_start: Whether query, key and value start as the identity, see
            :meth:`AdaptiveAttentionNorm.start_with_features`, instead of random projections. Not in
            the paper; in short trainings datnet_full learns more with it.
        open_gates: Whether the channel attention's gates start close to 1 instead of random, see
            :meth:`EfficientChannelAttention.start_open`. Not in the paper; for weights from a
            network without channel attention.
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
        """Features and attention keys of levels 3, 4 and 5, see :meth:`transfer_inputs`."""
        return self.transfer_inputs(self.encoder.levels(images), images.shape[2:])

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """Features and attention keys; content and style are encoded in the same way."""
        return self.encode_content(images)

    def transfer_inputs(
        self, features: Iterable[Tensor], image_size: Sequence[int]
    ) -> list[Tensor]:
        """Channel attention on all levels; features and attention keys of levels 3, 4 and 5.

        Args:
            features: Encoder features relu1_1 … relu5_1.
            image_size: Height and width of the images.

        Returns:
            relu3_1 and its key, relu4_1 and its key, relu5_1 and its key, each ``(B, C, H, W)``.
        """
        sizes, (height, width) = {}, image_size
        for level in (2, 3, 4, 5):  # ceil-mode pooling rounds up
            height, width = (height - 1) // 2 + 1, (width - 1) // 2 + 1
            if level > 2:
                sizes[level] = height, width
        attend = cast("Iterable[EfficientChannelAttention] | None", self.channel_attention)
        inputs = attention_inputs(features, sizes, self.resize, attend)
        return [maps for level in inputs for maps in level]

    def transfer(
        self, content_features: Sequence[Tensor], style_features: Sequence[Tensor]
    ) -> list[Tensor]:
        """Spatial attention at three levels; levels 4 and 5 are merged.

        Args:
            content_features: From :meth:`encode_content` or :meth:`transfer_inputs`.
            style_features: From :meth:`encode_style` or :meth:`transfer_inputs`.

        Returns:
            Level 3, ``(B, 256, H/4, W/4)``, and the merged levels 4 and 5, ``(B, 512, H/8, W/8)``.
        """
        content3, content3_key, content4, content4_key, content5, content5_key = content_features
        style3, style3_key, style4, style4_key, style5, style5_key = style_features
        level3 = self.attention3(content3, style3, content3_key, style3_key)
        level4 = self.attention4(content4, style4, content4_key, style4_key)
        level5 = self.attention5(content5, style5, content5_key, style5_key)
        return [level3, self.merge(merge_levels(level4, level5))]

    def attention_levels(
        self,
        content_features: Sequence[Tensor],
        style_features: Sequence[Tensor],
        style_size: Sequence[int],
    ) -> Iterator[QueriesAndKeys]:
        """Yield queries and keys at relu3_1, relu4_1 and relu5_1."""
        attentions = (self.attention3, self.attention4, self.attention5)
        keys = zip(content_features[1::2], style_features[1::2], strict=True)
        for level, (attention, (content_key, style_key)) in enumerate(
            zip(attentions, keys, strict=True), 3
        ):
            queries, keys_of_style = attention.query(content_key), attention.key(style_key)
            yield QueriesAndKeys(f"relu{level}_1", 2 ** (level - 1), queries, keys_of_style)

    def channel_gates(self, images: Tensor) -> list[Tensor]:
        """Gates of the channel attention, for looking at them.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1].

        Returns:
            The gates of relu1_1 … relu5_1 in (0, 1), each ``(B, C)``; empty without channel
            attention.
        """
        if self.channel_attention is None:
            return []
        attend = cast("Iterable[EfficientChannelAttention]", self.channel_attention)
        levels = self.encoder.levels(images)
        return [each.gates(level).flatten(1) for each, level in zip(attend, levels, strict=True)]

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Decode the merged levels 4 and 5 to images, with level 3 as skip connection."""
        level3, level4_and_5 = fused
        return self.decoder(level4_and_5, level3)
