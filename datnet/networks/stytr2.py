"""StyTr²: Image Style Transfer with Transformers.

Yingying Deng, Fan Tang, Weiming Dong, Chongyang Ma, Xingjia Pan, Lei Wang and Changsheng Xu,
CVPR 2022, arXiv 2105.14576.

Shapes: a token stands for 8 × 8 pixels; an image of ``H × W`` pixels has ``N = ⌈H/8⌉ · ⌈W/8⌉``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.base import StyleTransferNetwork, extend_to_multiple, weighted_sum
from datnet.networks.decoder import Decoder
from datnet.networks.statistics import full_precision

CHANNELS = 512
PATCH = 8
"""Side in pixels of the square that a token stands for."""
HEADS = 8
LAYERS = 3
"""Layers of each encoder and of the decoder."""
HIDDEN = 2048
"""Channels inside the feed-forward part of a layer."""
DROPOUT = 0.1
POSITIONS = 18
"""Side of the grid that :class:`ContentAwarePositions` are made on."""


class Attention(nn.Module):
    """Attention of 8 heads, in bounded memory: ``softmax(q · k / 8)`` is never held as a whole.

    In training, dropout acts on the weights. On a CPU torch then does hold them, 4 bytes times
    8 heads times Nc times Ns for every image; GPUs never do.

    Initial weights are the published ones, where one matrix of three times as many rows makes
    query, key and value: Xavier's bound for that is √½ of what it is for three.
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
        """For every query ``(B, Nc, 512)`` the mean of values ``(B, Ns, 512)``, by their keys."""
        mean = F.scaled_dot_product_attention(
            split_heads(self.query(query)),
            split_heads(self.key(key)),
            split_heads(self.value(value)),
            dropout_p=DROPOUT if self.training else 0.0,
        )
        return self.out(mean.transpose(1, 2).flatten(2))


def split_heads(tokens: Tensor) -> Tensor:
    """``(B, N, 512)`` as 8 parts of 64 channels, ``(B, 8, N, 64)``."""
    return tokens.unflatten(2, (HEADS, -1)).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Two linear layers that every token goes through by itself."""

    def __init__(self) -> None:
        expand, reduce = nn.Linear(CHANNELS, HIDDEN), nn.Linear(HIDDEN, CHANNELS)
        super().__init__(expand, nn.ReLU(), nn.Dropout(DROPOUT), reduce)
        for layer in (expand, reduce):
            nn.init.xavier_uniform_(layer.weight)


class EncoderLayer(nn.Module):
    """Attention of tokens to each other and a feed-forward part, each added and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.feed_forward = FeedForward()
        self.norms = nn.ModuleList(nn.LayerNorm(CHANNELS) for _ in range(2))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Refine tokens ``(B, N, 512)``; where they are counts for query and key, not for value."""
        placed = tokens if positions is None else tokens + positions
        tokens = self.norms[0](tokens + self.dropout(self.attention(placed, placed, tokens)))
        return self.norms[1](tokens + self.dropout(self.feed_forward(tokens)))


class Encoder(nn.Module):
    """Three layers for the tokens of one image."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(LAYERS))

    def forward(self, tokens: Tensor, positions: Tensor | None = None) -> Tensor:
        """Encode tokens ``(B, N, 512)``, with the positions ``(B, N, 512)`` if they have any."""
        for layer in self.layers:
            tokens = layer(tokens, positions)
        return tokens


class StyleLayer(nn.Module):
    """Content tokens look at the style twice, each time with weights of their own.

    In a usual transformer the first look would be at the content itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self.attentions = nn.ModuleList(Attention() for _ in range(2))
        self.feed_forward = FeedForward()
        self.norms = nn.ModuleList(nn.LayerNorm(CHANNELS) for _ in range(3))
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, content: Tensor, positions: Tensor, style: Tensor) -> Tensor:
        """Paint content tokens ``(B, Nc, 512)`` with style tokens ``(B, Ns, 512)``."""
        for attention, norm in zip(self.attentions, self.norms[:2], strict=True):
            content = norm(content + self.dropout(attention(content + positions, style, style)))
        return self.norms[2](content + self.dropout(self.feed_forward(content)))


class StyleDecoder(nn.Module):
    """Three layers in which content tokens become painted ones, and a normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(StyleLayer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(CHANNELS)

    def forward(self, content: Tensor, positions: Tensor, style: Tensor) -> Tensor:
        """Paint content tokens ``(B, Nc, 512)`` with style tokens ``(B, Ns, 512)``."""
        for layer in self.layers:
            content = layer(content, positions, style)
        return self.norm(content)


class ContentAwarePositions(nn.Module):
    """Position codes that are made of the content (CAPE), the same scene at any size: eq. (3).

    The content is averaged on a grid of 18 × 18, projected, and enlarged to its own size again. The
    published code enlarges it to the size of the *style*, so that both must have the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, content: Tensor) -> Tensor:
        """Codes for the positions of embedded content, both ``(B, 512, H/8, W/8)``."""
        grid = average_on_grid(content)
        return F.interpolate(self.projection(grid), content.shape[2:], mode="bilinear")


def average_on_grid(maps: Tensor) -> Tensor:
    """``adaptive_avg_pool2d(maps, 18)`` as two products: ``(B, C, H, W)`` to ``(B, C, 18, 18)``.

    An ONNX file would pool that as at the size it was traced at, and its gradient on GPUs is not
    deterministic.
    """
    with torch.autocast(maps.device.type, enabled=False):  # shares of a cell need all their digits
        maps = full_precision(maps)
        rows, columns = (cell_shares(side, maps) for side in maps.shape[2:])
        return rows @ maps @ columns.mT


def cell_shares(side: int, like: Tensor) -> Tensor:
    """How much each of ``side`` positions adds to the mean of a cell, ``(18, side)``.

    Cells cover all positions and overlap by one where 18 does not divide the side.
    """
    cells = torch.arange(POSITIONS, device=like.device)[:, None]
    places = torch.arange(side, device=like.device)
    inside = (places >= cells * side // POSITIONS) & (
        places < ((cells + 1) * side + POSITIONS - 1) // POSITIONS
    )
    return inside.to(like.dtype) / inside.sum(dim=1, keepdim=True)


def as_tokens(maps: Tensor) -> Tensor:
    """``(B, 512, H/8, W/8)`` as tokens ``(B, N, 512)``, row by row."""
    return maps.flatten(2).mT


class StyTr2(StyleTransferNetwork):
    """Transformers for content and for style, one that fuses them, and a CNN that paints.

    All of it is trained and there is no VGG. 35 394 115 parameters.

    Any size and aspect works, content and style need not agree, and the result lies where the
    content does. The published code wants as many tokens of the style as of the content and takes
    the painted tokens for a square: it scrambles 128 × 32 pixels to 64 × 64 and fails at
    128 × 96. It leaves out the last pixels of sides that are no multiple of 8; here images are
    extended by reflection at the right and at the bottom, and the painting is cropped. On equal
    squares of a multiple of 8 both paint the same.

    ``alpha`` is no part of the paper.
    """

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
        """Every 8 × 8 pixels of images ``(B, 3, H, W)`` as a vector, ``(B, 512, ⌈H/8⌉, ⌈W/8⌉)``."""
        return self.embedding(extend_to_multiple(images, PATCH))

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """[embedded content, its positions ``(B, 512, H/8, W/8)``, encoded tokens].

        The embedded content is what it takes to be its own style, for an ``alpha`` below 1.
        """
        embedded = self.embed(images)
        positions = self.positions(embedded)
        encoded = self.content_encoder(as_tokens(embedded), as_tokens(positions))
        return [embedded, positions, encoded]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """[encoded tokens ``(B, Ns, 512)``], which know nothing of where they are."""
        return [self.style_encoder(as_tokens(self.embed(images)))]

    def transfer(self, content_features: Sequence[Tensor], style: Tensor) -> Tensor:
        """The map to paint from, ``(B, 512, H/8, W/8)``, of content and encoded style tokens."""
        _, positions, encoded = content_features
        painted = self.style_decoder(encoded, as_tokens(positions), style)
        return painted.mT.unflatten(2, positions.shape[2:])

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Paint from encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The maps that the style decoder makes with each style are averaged. Below an ``alpha`` of 1
        they are blended with those of the content as its own style.
        """
        fused = weighted_sum(
            [self.transfer(content_features, style) for (style,) in styles], weights
        )
        if isinstance(alpha, Tensor) or alpha < 1:
            own_style = self.style_encoder(as_tokens(content_features[0]))
            fused = torch.lerp(self.transfer(content_features, own_style), fused, alpha)
        return self.decoder(fused)[:, :, : size[0], : size[1]]
