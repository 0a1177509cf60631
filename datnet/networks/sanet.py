"""SANet: Arbitrary Style Transfer with Style-Attentional Networks.

Dae Young Park and Kwang Hee Lee, CVPR 2019, arXiv 1812.02342.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.attention import attention_mean
from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.decoder import Decoder
from datnet.networks.ops.attention_map import QueriesAndKeys
from datnet.networks.ops.convolution import Convolution
from datnet.networks.statistics import normalize_channels
from datnet.networks.vgg import VggEncoder


class StyleAttention(nn.Module):
    """Style-attentional block, eq. (6), with a residual connection from the content.

    Query from the normalized content, key from the normalized style, value from the style.

    Args:
        channels: Channels of the content and style features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels, 1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Attend from content positions to style positions.

        Args:
            content: Content features ``(B, C, H, W)``.
            style: Style features ``(B, C, Hs, Ws)``, of any size.

        Returns:
            ``(B, C, H, W)``.
        """
        queries, keys = self.queries_and_keys(content, style)
        attended = attention_mean(queries.flatten(2), keys.flatten(2), self.value(style).flatten(2))
        return self.out(attended.view(content.shape)) + content

    def queries_and_keys(self, content: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """Queries ``(B, C, H, W)`` and keys ``(B, C, Hs, Ws)`` of content and style features."""
        return self.query(normalize_channels(content)), self.key(normalize_channels(style))


def merge_levels(level4: Tensor, level5: Tensor) -> Tensor:
    """Add relu5_1 features, upsampled by 2 (nearest neighbor), to relu4_1 features.

    If relu4_1 has an odd side, ceil-mode pooling makes the upsampled map one row or column too
    large; it is cropped at the end.

    Args:
        level4: ``(B, C, H, W)``.
        level5: ``(B, C, ⌈H/2⌉, ⌈W/2⌉)``.

    Returns:
        ``(B, C, H, W)``.
    """
    height, width = level4.shape[2:]
    return level4 + F.interpolate(level5, scale_factor=2, mode="nearest")[:, :, :height, :width]


class SANet(EncoderDecoderNetwork):
    """Style-attentional blocks at relu4_1 and relu5_1, a merging convolution, and a decoder.

    Any image size works; the published code fails if relu4_1 of the content has an odd side.

    Args:
        encoder: The frozen encoder.
    """

    attention_parts = ("attention4", "attention5")

    def __init__(self, encoder: VggEncoder) -> None:
        super().__init__(encoder)
        self.attention4 = StyleAttention(512)
        self.attention5 = StyleAttention(512)
        self.merge = Convolution(512, 512)
        self.decoder = Decoder()

    def transfer(
        self, content_features: Sequence[Tensor], style_features: Sequence[Tensor]
    ) -> list[Tensor]:
        """Style attention at relu4_1 and relu5_1, merged by a convolution.

        Args:
            content_features: relu1_1 … relu5_1 of the content.
            style_features: relu1_1 … relu5_1 of the style.

        Returns:
            ``[(B, 512, H/8, W/8)]``.
        """
        level4 = self.attention4(content_features[3], style_features[3])
        level5 = self.attention5(content_features[4], style_features[4])
        return [self.merge(merge_levels(level4, level5))]

    def attention_levels(
        self,
        content_features: Sequence[Tensor],
        style_features: Sequence[Tensor],
        style_size: Sequence[int],
    ) -> Iterator[QueriesAndKeys]:
        """Yield queries and keys at relu4_1 and relu5_1."""
        for level, attention in ((4, self.attention4), (5, self.attention5)):
            features = content_features[level - 1], style_features[level - 1]
            yield QueriesAndKeys(
                f"relu{level}_1", 2 ** (level - 1), *attention.queries_and_keys(*features)
            )

    def decode(self, fused: Sequence[Tensor]) -> Tensor:
        """Decode the merged features to images."""
        return self.decoder(fused[0])
