"""Attention of a network for one photograph and one painting, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from datnet.devices import enough_memory
from datnet.errors import DatNetError
from datnet.images.opening import Picture, open_picture, open_style, resize_short_side, visible
from datnet.images.tensors import to_image, to_tensor
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.datnet import DatNet
from datnet.networks.ops.attention_map import (
    QueriesAndKeys,
    attention_statistics,
    attention_weights,
)
from datnet.stylize.options import check_side

DEFAULT_SIZE = 512
"""Default shorter side of the photograph in pixels, if it is not smaller itself."""

Point = tuple[float, float]
"""x and y in pixels from the upper left corner."""


@dataclass(frozen=True, eq=False)
class Correspondence:
    """Where in the painting each position of the photograph attends to, at one level.

    Attributes:
        strongest: int64 ``(h, w, 2)``: x and y of the style position with the largest weight, as
            array indices of ``share``: ``share[y, x]``.
        mean: float32 ``(h, w, 2)``: x and y averaged with the weights.
        entropy: float32 ``(h, w)``, in bits, from 0 (one style position) to ``log2(hs * ws)`` (all
            alike). ``2 ** entropy`` is the effective number of style positions.
        share: float32 ``(hs, ws)``: share of each style position in the whole picture; sums to 1.
    """

    strongest: np.ndarray
    mean: np.ndarray
    entropy: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, eq=False)
class LevelAttention:
    """The attention of one level of a network.

    Weights are computed when they are asked for, so memory is linear in the number of positions.

    Attributes:
        name: Its place in the network: "relu3_1", or "layer 1.2" for the second attention of
            StyTr2's first layer.
        stride: Pixels per position: position ``i`` starts at pixel ``i * stride``.
        size: Width and height of the photograph in pixels.
        grid: Height and width of the photograph's feature map, in positions.
        style_grid: Height and width of the painting's feature map.
    """

    name: str
    stride: int
    size: tuple[int, int]
    grid: tuple[int, int]
    style_grid: tuple[int, int]
    _inputs: QueriesAndKeys

    def weights(self, points: Sequence[Point]) -> np.ndarray:
        """Attention weights of some points of the photograph, averaged over heads.

        Args:
            points: x and y in pixels of :attr:`Attention.photograph`.

        Returns:
            float32 ``(len(points), *style_grid)``; each weight map sums to 1.

        Raises:
            DatNetError: If a point is outside the photograph.
        """
        rows, columns = [], []
        for x, y in points:
            width, height = self.size
            if not (0 <= x < width and 0 <= y < height):
                raise DatNetError(
                    f"the point {x:g},{y:g} is outside the photograph of {width} × {height} pixels"
                )
            rows.append(int(y // self.stride))
            columns.append(int(x // self.stride))
        queries = self._inputs.queries[:, :, rows, columns]
        with enough_memory():
            return attention_weights(queries, self._inputs.keys).float().cpu().numpy()

    def correspondence(self) -> Correspondence:
        """Where in the painting each position attends to.

        Raises:
            DatNetError: If memory runs out.
        """
        with enough_memory():
            statistics = attention_statistics(self._inputs.queries, self._inputs.keys)
        return Correspondence(
            strongest=statistics.strongest.flip(2).cpu().numpy(),
            mean=statistics.mean.flip(2).float().cpu().numpy(),
            entropy=statistics.entropy.float().cpu().numpy(),
            share=statistics.share.float().cpu().numpy(),
        )


@dataclass(frozen=True, eq=False)
class Attention:
    """The attention of a network for one photograph and one painting.

    Attributes:
        photograph: The photograph as the network saw it, RGB.
        painting: The painting as the network saw it, RGB.
        result: The stylized photograph at full strength, of the same size, RGB.
        levels: Each attention from photograph to painting, from shallow to deep.
    """

    photograph: Image.Image
    painting: Image.Image
    result: Image.Image
    levels: tuple[LevelAttention, ...]


@dataclass(frozen=True, eq=False)
class ChannelGates:
    """Gates of the channel attention (ECA) for one picture pair, at one level.

    Attributes:
        name: "relu1_1" … "relu5_1".
        photograph: float32 ``(C,)`` in (0, 1): the factor of each channel of the photograph.
        painting: The same for the painting.
    """

    name: str
    photograph: np.ndarray
    painting: np.ndarray


def open_pair(
    photograph: Picture, painting: Picture, size: int | None, style_size: int | None
) -> tuple[Image.Image, Image.Image]:
    """Open a photograph and a painting at the sizes at which attention is computed.

    Args:
        photograph: The photograph; transparent parts become white.
        painting: The painting; likewise.
        size: Shorter side of the photograph; None for its own, but at most :data:`DEFAULT_SIZE`.
        style_size: Shorter side of the painting; None for its own, but at most the photograph's.

    Returns:
        Both as RGB images.

    Raises:
        DatNetError: If one cannot be read, or a size is too small.
    """
    check_side("size", size)
    check_side("style_size", style_size)
    opened, _ = open_picture(photograph, "content")
    if size is not None or min(opened.size) > DEFAULT_SIZE:
        opened = resize_short_side(opened, size or DEFAULT_SIZE)
    return visible(opened), open_style(painting, style_size, min(opened.size))


@torch.no_grad()
def attention_of(
    network: StyleTransferNetwork, photograph: Image.Image, painting: Image.Image
) -> Attention:
    """Compute the attention of a network, see :meth:`Stylizer.attention`.

    Args:
        network: The network, on any device.
        photograph: An RGB image with sides of at least 32.
        painting: Likewise.

    Returns:
        The attention.

    Raises:
        DatNetError: If the network has no attention from photograph to painting.
    """
    device = next(network.parameters()).device
    content, style = (to_tensor(each)[None].to(device) for each in (photograph, painting))
    features, style_features = network.encode_content(content), network.encode_style(style)
    levels = tuple(
        LevelAttention(
            each.name,
            each.stride,
            photograph.size,
            (each.queries.shape[2], each.queries.shape[3]),
            (each.keys.shape[2], each.keys.shape[3]),
            each,
        )
        for each in network.attention_levels(features, style_features, style.shape[2:])
    )
    if not levels:
        raise DatNetError(
            f"{type(network).__name__} has no attention from positions of the photograph to "
            "positions of the painting; DatNet, SANet, MANet and StyTr2 have"
        )
    result = network.generate(features, style_features, content.shape[2:])
    return Attention(photograph, painting, to_image(result[0].float().clamp(0, 1)), levels)


@torch.no_grad()
def channel_gates(
    network: StyleTransferNetwork, photograph: Image.Image, painting: Image.Image
) -> list[ChannelGates]:
    """Gates of the channel attention, see :meth:`Stylizer.channel_gates`.

    Args:
        network: The network, on any device.
        photograph: An RGB image with sides of at least 32.
        painting: Likewise.

    Returns:
        The gates of each level.

    Raises:
        DatNetError: If the network has no channel attention.
    """
    if not (isinstance(network, DatNet) and network.channel_attention is not None):
        raise DatNetError(
            "this network has no channel attention (ECA); datnet_dual and datnet_full have"
        )
    device = next(network.parameters()).device
    of_photograph, of_painting = (
        network.channel_gates(to_tensor(each)[None].to(device)) for each in (photograph, painting)
    )
    return [
        ChannelGates(
            f"relu{level}_1", ours[0].float().cpu().numpy(), theirs[0].float().cpu().numpy()
        )
        for level, (ours, theirs) in enumerate(zip(of_photograph, of_painting, strict=True), 1)
    ]
