"""StyTr²: Image Style Transfer with Transformers.

Yingying Deng, Fan Tang, Weiming Dong, Chongyang Ma, Xingjia Pan, Lei Wang and Changsheng Xu, CVPR
2022, arXiv 2105.14576.

Shapes: a token is a patch of 8 × 8 pixels; an image of ``H × W`` pixels has ``N = ⌈H/8⌉ · ⌈W/8⌉``
tokens.

The whole method is in this file, so that it reads like the figure of the paper.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.base import StyleTransferNetwork, extend_to_multiple, weighted_sum
from datnet.networks.decoder import Decoder
from datnet.networks.ops.attention_map import QueriesAndKeys
from datnet.networks.statistics import full_precision

CHANNELS = 512
PATCH = 8
"""Patch size in pixels."""
HEADS = 8
SCALE = math.sqrt(CHANNELS // HEADS)
"""Divisor of the logits: the root of the number of channels of a head."""
LAYERS = 3
"""Layers of each encoder and of the decoder."""
HIDDEN = 2048
"""Channels inside the feed-forward network of a layer."""
DROPOUT = 0.1
POSITIONS = 18
"""Side of the grid of :class:`ContentAwarePositions`."""


class Attention(nn.Module):
    """Multi-head attention: ``softmax(q · k / 8)`` in each of 8 heads, in linear memory.

    In training, dropout acts on the attention weights. On the CPU torch then materializes them, 4
    bytes × 8 heads × Nc × Ns per image; on GPUs it never does.

    The initialization is the published one. There, query, key and value come from one matrix with
    three times as many rows, whose Xavier bound is √½ of that of three separate matrices.
    """

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (
            nn.Linear(CHANNELS, CHANNELS) for _ in range(4)
        )
        for layer in (self.query, self.key, self.value, self.out):
            nn.init.xavier_uniform_(layer.weight, gain=1 if layer is self.out else math.sqrt(0.5))
            nn.init.zeros_(layer.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend from queries to keys and values.

        Args:
            query: ``(B, Nc, 512)``.
            key: ``(B, Ns, 512)``.
            value: ``(B, Ns, 512)``.

        Returns:
            ``(B, Nc, 512)``.
        """
        mean = F.scaled_dot_product_attention(
            split_heads(self.query(query)),
            split_heads(self.key(key)),
            split_heads(self.value(value)),
            dropout_p=DROPOUT if self.training else 0.0,
        )
        return self.out(mean.transpose(1, 2).flatten(2))


def split_heads(tokens: Tensor) -> Tensor:
    """Split ``(B, N, 512)`` into 8 heads of 64 channels, ``(B, 8, N, 64)``."""
    return tokens.unflatten(2, (HEADS, -1)).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Feed-forward network, applied to each token separately."""

    def __init__(self) -> None:
        expand, reduce = nn.Linear(CHANNELS, HIDDEN), nn.Linear(HIDDEN, CHANNELS)
        super().__init__(expand, nn.ReLU(), nn.Dropout(DROPOUT), reduce)
        for layer in (expand, reduce):
            nn.init.xavier_uniform_(layer.weight)


class EncoderLayer(nn.Module):
    """Transformer encoder layer, post-norm: self-attention and feed-forward network."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.feed_forward = FeedForward()
        self.norms = nn.ModuleList(nn.LayerNorm(CHANNELS) for _ in range(2))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Refine tokens.

        Args:
            tokens: ``(B, N, 512)``.
            positions: Positional encoding ``(B, N, 512)``, added to query and key, not to the
                value.

        Returns:
            ``(B, N, 512)``.
        """
        placed = tokens if positions is None else tokens + positions
        tokens = self.norms[0](tokens + self.dropout(self.attention(placed, placed, tokens)))
        return self.norms[1](tokens + self.dropout(self.feed_forward(tokens)))


class Encoder(nn.Module):
    """Transformer encoder of three layers, for the tokens of one image."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(LAYERS))

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Encode tokens.

        Args:
            tokens: ``(B, N, 512)``.
            positions: Positional encoding ``(B, N, 512)``, if there is one.

        Returns:
            ``(B, N, 512)``.
        """
        for layer in self.layers:
            tokens = layer(tokens, positions)
        return tokens


class StyleLayer(nn.Module):
    """Transformer decoder layer with two cross-attentions from content to style.

    Each has its own weights. In a standard transformer the first one would be self-attention.
    """

    def __init__(self) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(Attention() for _ in range(2))
        self.feed_forward = FeedForward()
        self.norms = nn.ModuleList(nn.LayerNorm(CHANNELS) for _ in range(3))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, content: Tensor, positions: Tensor, style: Tensor) -> Tensor:
        """Stylize content tokens with style tokens.

        Args:
            content: ``(B, Nc, 512)``.
            positions: Positional encoding of the content, ``(B, Nc, 512)``.
            style: ``(B, Ns, 512)``.

        Returns:
            ``(B, Nc, 512)``.
        """
        for attention, norm in zip(self.attentions, self.norms[:2], strict=True):
            content = norm(content + self.dropout(attention(content + positions, style, style)))
        return self.norms[2](content + self.dropout(self.feed_forward(content)))


class StyleDecoder(nn.Module):
    """Transformer decoder: three layers from content tokens to stylized tokens, and a LayerNorm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(StyleLayer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(CHANNELS)

    def forward(self, content: Tensor, positions: Tensor, style: Tensor) -> Tensor:
        """Stylize content tokens with style tokens.

        Args:
            content: ``(B, Nc, 512)``.
            positions: Positional encoding of the content, ``(B, Nc, 512)``.
            style: ``(B, Ns, 512)``.

        Returns:
            ``(B, Nc, 512)``.
        """
        for layer in self.layers:
            content = layer(content, positions, style)
        return self.norm(content)


class ContentAwarePositions(nn.Module):
    """Content-aware positional encoding (CAPE), independent of the image's resolution, eq. (3).

    The embedded content is average-pooled to 18 × 18, projected, and upsampled (bilinear) to its
    own size. The published code upsamples to the size of the *style*, which then must equal the
    content's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, content: Tensor) -> Tensor:
        """Positional encoding of embedded content; both are ``(B, 512, H/8, W/8)``."""
        grid = average_on_grid(content)
        return F.interpolate(self.projection(grid), content.shape[2:], mode="bilinear")


def average_on_grid(maps: Tensor) -> Tensor:
    """``adaptive_avg_pool2d(maps, 18)`` as two products: ``(B, C, H, W)`` to ``(B, C, 18, 18)``.

    The ONNX export of the pooling is fixed to the traced size, and its gradient on GPUs is not
    deterministic.
    """
    with torch.autocast(maps.device.type, enabled=False):  # averages need full precision
        maps = full_precision(maps)
        rows, columns = (cell_shares(side, maps) for side in maps.shape[2:])
        return rows @ maps @ columns.mT


def cell_shares(side: int, like: Tensor) -> Tensor:
    """Matrix ``(18, side)`` that averages ``side`` positions within each of 18 cells.

    The cells cover all positions and overlap by one if 18 does not divide ``side``.

    Args:
        side: Number of positions.
        like: A tensor whose device and dtype the result has.

    Returns:
        ``(18, side)``; each row sums to 1.
    """
    cells = torch.arange(POSITIONS, device=like.device)[:, None]
    places = torch.arange(side, device=like.device)
    inside = (places >= cells * side // POSITIONS) & (
        places < ((cells + 1) * side + POSITIONS - 1) // POSITIONS
    )
    return inside.to(like.dtype) / inside.sum(dim=1, keepdim=True)


def as_tokens(maps: Tensor) -> Tensor:
    """Flatten ``(B, 512, H/8, W/8)`` to tokens ``(B, N, 512)``, in row-major order."""
    return maps.flatten(2).mT


class StyTr2(StyleTransferNetwork):
    """Transformer encoders for content and style, a transformer decoder, and a CNN decoder.

    All parts are trained; there is no VGG. 35 394 115 parameters.

    Any image size and aspect ratio works, content and style may differ, and the result is aligned
    with the content. The published code needs equal numbers of content and style tokens and assumes
    that the tokens form a square: it scrambles 128 × 32 pixels to 64 × 64 and fails at 128 × 96. It
    drops the last pixels of sides that are not multiples of 8; here images are padded by reflection
    on the right and at the bottom, and the result is cropped. For squares of the same size, a
    multiple of 8, both give the same result.

    ``alpha`` is not in the paper.
    """

    seam = "it encodes the position of each patch in the picture"

    attention_parts = ("content_encoder", "style_encoder", "style_decoder")

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Conv2d(3, CHANNELS, PATCH, stride=PATCH)
        self.positions = ContentAwarePositions()
        self.content_encoder = Encoder()
        self.style_encoder = Encoder()
        self.style_decoder = StyleDecoder()
        self.decoder = Decoder()

    def embed(self, images: Tensor) -> Tensor:
        """Patch embedding of images ``(B, 3, H, W)``: ``(B, 512, ⌈H/8⌉, ⌈W/8⌉)``."""
        return self.embedding(extend_to_multiple(images, PATCH))

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """[embedded content, positional encoding ``(B, 512, H/8, W/8)``, encoded tokens].

        With ``alpha`` below 1 the embedded content is encoded as a style, too.
        """
        embedded = self.embed(images)
        positions = self.positions(embedded)
        encoded = self.content_encoder(as_tokens(embedded), as_tokens(positions))
        return [embedded, positions, encoded]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """[encoded tokens ``(B, Ns, 512)``], without positional encoding."""
        return [self.style_encoder(as_tokens(self.embed(images)))]

    def transfer(self, content_features: Sequence[Tensor], style: Tensor) -> Tensor:
        """Transformer decoder: stylized tokens, as a feature map.

        Args:
            content_features: From :meth:`encode_content`.
            style: Encoded style tokens ``(B, Ns, 512)``.

        Returns:
            ``(B, 512, H/8, W/8)``.
        """
        _, positions, encoded = content_features
        stylized = self.style_decoder(encoded, as_tokens(positions), style)
        return stylized.mT.unflatten(2, positions.shape[2:])

    def attention_levels(
        self,
        content_features: Sequence[Tensor],
        style_features: Sequence[Tensor],
        style_size: Sequence[int],
    ) -> Iterator[QueriesAndKeys]:
        """Yield queries and keys of the two cross-attentions of each decoder layer, 8 heads."""
        _, positions, content = content_features
        (style,) = style_features
        grid = positions.shape[2:]
        style_grid = [-(-side // PATCH) for side in style_size]
        placed = as_tokens(positions)
        layers = cast("Iterable[StyleLayer]", self.style_decoder.layers)
        for number, layer in enumerate(layers, 1):
            attentions = cast("Iterable[Attention]", layer.attentions)
            within = content
            for turn, (attention, norm) in enumerate(
                zip(attentions, layer.norms[:2], strict=True), 1
            ):
                queries = split_heads(attention.query(within + placed))[0].mT / SCALE
                keys = split_heads(attention.key(style))[0].mT
                yield QueriesAndKeys(
                    f"layer {number}.{turn}",
                    PATCH,
                    queries.unflatten(2, grid),
                    keys.unflatten(2, style_grid),
                )
                within = norm(within + attention(within + placed, style, style))
            content = layer(content, placed, style)

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Stylize encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The stylized features of all styles are averaged. With ``alpha`` below 1 they are blended
        with those of the content as its own style.
        """
        fused = weighted_sum(
            [self.transfer(content_features, style) for (style,) in styles], weights
        )
        if isinstance(alpha, Tensor) or alpha < 1:
            own_style = self.style_encoder(as_tokens(content_features[0]))
            fused = torch.lerp(self.transfer(content_features, own_style), fused, alpha)
        return self.decoder(fused)[:, :, : size[0], : size[1]]
