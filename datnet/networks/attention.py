"""Attention over channels (ECA) and over positions (AdaAttN), the two halves of DatNet.

Shapes: ``B`` batch, ``C`` channels, ``H W`` height and width, ``N = H * W`` positions,
``Nc`` and ``Ns`` positions of the content and of the style.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.errors import DatNetWarning
from datnet.networks.ops.exported_attention import exported_attention_mean
from datnet.networks.ops.tiled_attention import tiled_attention_mean, whole_attention_mean
from datnet.networks.statistics import full_precision, normalize_channels

Resize = Literal["bilinear", "nearest"]

# Up to so many pairs of positions all weights are made at once, which is faster (measured on two
# CPU cores: 1024 × 1024 positions are, 2048 × 2048 are not).
UNTILED_COMPARISONS = 2**21

# Pairs of positions that are compared at most; for larger pictures attention sees fewer style
# positions. At relu3_1 that begins where content and style have 1448 × 1448 pixels.
MOST_COMPARISONS = 2**34

# What a position's product with itself is on average where attention compares the features.
# They are normalised: without a factor it is the number of channels, attention nearly one-hot.
SELF_LOGIT = 20.0

# Gate logit of a channel whose neighborhood has a mean of 1, as normalized features have on average
# over photographs, where gates begin open: a gate of .98.
OPEN_LOGIT = 4.0

# The root of the attention-weighted variance has an infinite gradient at 0, where attention sees
# a single position or a constant style.
ATTENTION_VARIANCE_EPSILON = 1e-10


class EfficientChannelAttention(nn.Module):
    """Re-weight channels by a gate computed from neighbouring channels' means.

    Source: ECA-Net (Wang et al., CVPR 2020); DatNet eq. (1) with gamma = 2 and b = 1, which gives
    kernels of 3, 5, 5, 5 channels for 64, 128, 256, 512 channels.

    Args:
        channels: Number of channels ``C`` of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        kernel_size = int((math.log2(channels) + 1) / 2)
        if kernel_size % 2 == 0:
            kernel_size += 1
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Scale every channel of ``(B, C, H, W)`` by its gate."""
        return features * self.gates(features)

    @torch.no_grad()
    def start_open(self) -> None:
        """Begin with gates of nearly 1: the logit is OPEN_LOGIT times the mean of the neighbors.

        A network whose weights come from one without gates would see its features halved by the
        gates of random weights, which are .5 on average.
        """
        nn.init.constant_(self.conv.weight, OPEN_LOGIT / self.conv.weight.numel())

    def gates(self, features: Tensor) -> Tensor:
        """The gate in (0, 1) of every channel of ``(B, C, H, W)``: ``(B, C, 1, 1)``."""
        means = full_precision(features).mean(dim=(2, 3))  # (B, C)
        gates = torch.sigmoid(self.conv(means.unsqueeze(1))).squeeze(1)  # (B, C)
        return gates[:, :, None, None].to(features.dtype)


def attention_key(features: Sequence[Tensor], level: int, resize: Resize = "bilinear") -> Tensor:
    """Join all features up to a level into the key that attention compares, DatNet eq. (2).

    Levels 1 … ``level`` are resized to the size of the last one, normalised per channel and
    concatenated from shallow to deep.

    Args:
        features: Maps of relu1_1, relu2_1, … , at least ``level`` of them, each ``(B, C, H, W)``.
        level: 1 … 5 for relu1_1 … relu5_1. DatNet uses 3, 4 and 5: 448, 960 and 1472 channels.
        resize: How shallow maps shrink: "bilinear" as the paper writes, or "nearest" as the
            published AdaAttN does.

    Returns:
        The key ``(B, sum of channels, H, W)`` at the size of ``features[level - 1]``.
    """
    if not 1 <= level <= len(features):
        raise ValueError(f"level is {level}; {len(features)} levels of features are given")
    sizes = {level: features[level - 1].shape[2:]}
    ((_, key),) = attention_inputs(features[:level], sizes, resize)
    return key


def attention_inputs(
    features: Iterable[Tensor],
    sizes: Mapping[int, Sequence[int]],
    resize: Resize = "bilinear",
    channel_attention: Iterable[EfficientChannelAttention] | None = None,
) -> list[tuple[Tensor, Tensor]]:
    """The features of several levels with their keys, see :func:`attention_key`, in one pass.

    Of each map only small copies are kept, so that a generator of features may let go of the
    large maps of the shallow levels one after the other.

    Args:
        features: Maps of relu1_1 … up to the deepest level that is wanted.
        sizes: The levels that are wanted, each with the height and width that its map has.
        resize: As for :func:`attention_key`.
        channel_attention: Re-weights the channels of every level. That commutes with resizing, so
            the gates are applied to the small copies.

    Returns:
        Features ``(B, C, H, W)`` and key ``(B, sum of channels, H, W)`` of every wanted level.
    """
    if resize not in ("bilinear", "nearest"):
        raise ValueError(f'resize is "{resize}"; it can be "bilinear" or "nearest"')
    maps: dict[int, Tensor] = {}
    keys: dict[int, list[Tensor]] = {level: [] for level in sizes}
    attend = iter(channel_attention or ())
    for number, shallow in enumerate(features, 1):
        gates = None if channel_attention is None else next(attend).gates(shallow)
        for level, size in sizes.items():
            if level < number:
                continue
            resized = shallow
            if number < level:
                resized = F.interpolate(shallow, tuple(size), mode=resize)
            if gates is not None:
                resized = resized * gates
            keys[level].append(normalize_channels(resized))
            if number == level:
                maps[level] = resized
    return [(maps[level], torch.cat(keys[level], dim=1)) for level in sizes]


def attention_mean(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Average the values of all positions, weighted by softmax(query · key).

    Exact, without a scale on the products (as AdaAttN and SANet have it), in at least float32, and
    in memory that grows linearly with the positions, see
    :mod:`datnet.networks.ops.tiled_attention`. Beyond :data:`MOST_COMPARISONS` pairs of positions
    it sees a random sample of the style's positions, the same in every call, and warns.

    Args:
        query: ``(B, K, Nc)``.
        key: ``(B, K, Ns)``.
        value: ``(B, V, Ns)``.

    Returns:
        The weighted mean for every query position, ``(B, V, Nc)``.
    """
    if torch.compiler.is_exporting():
        return exported_attention_mean(query, key, value)
    with torch.autocast(query.device.type, enabled=False):
        query, key, value = full_precision(query), full_precision(key), full_precision(value)
        comparisons = query.shape[2] * key.shape[2]
        if comparisons > MOST_COMPARISONS:
            seen = _sample_of_positions(key.shape[2], MOST_COMPARISONS // query.shape[2])
            seen = seen.to(key.device)
            key, value = key.index_select(2, seen), value.index_select(2, seen)
        if comparisons <= UNTILED_COMPARISONS:
            return whole_attention_mean(query, key, value)
        return tiled_attention_mean(query, key, value)


def _sample_of_positions(count: int, wanted: int) -> Tensor:
    """Indices of ``wanted`` of ``count`` positions in order, the same in every call."""
    wanted = max(1, wanted)
    warnings.warn(
        f"the pictures are so large that attention sees {wanted} of {count} style positions",
        DatNetWarning,
        stacklevel=3,
    )
    chosen = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:wanted]
    return chosen.sort().values


def attention_moments(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Attention-weighted mean and standard deviation of the values, DatNet eqs. (4)-(6).

    The variance is the difference of two large numbers, E[v²] - E[v]². Centring the values by
    their mean over all positions leaves the variance as it is and saves most of its digits.

    Args:
        query: ``(B, K, Nc)``.
        key: ``(B, K, Ns)``.
        value: ``(B, V, Ns)``.

    Returns:
        Mean and standard deviation for every query position, each ``(B, V, Nc)``, at least float32.
    """
    value = full_precision(value)
    centre = value.mean(dim=2, keepdim=True)
    centred = value - centre
    mean, mean_of_squares = attention_mean(
        query, key, torch.cat([centred, centred.square()], dim=1)
    ).chunk(2, dim=1)
    variance = torch.relu(mean_of_squares - mean.square())
    return mean + centre, (variance + ATTENTION_VARIANCE_EPSILON).sqrt()


def adaptive_attention_norm(content: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Give every content position the style statistics that attention finds for it, eq. (7).

    Args:
        content: Content features ``(B, V, H, W)``.
        query: ``(B, K, H, W)``, from the content.
        key: ``(B, K, Hs, Ws)``, from the style.
        value: ``(B, V, Hs, Ws)``, from the style.

    Returns:
        ``S · Norm(content) + M``, ``(B, V, H, W)``.
    """
    mean, std = attention_moments(query.flatten(2), key.flatten(2), value.flatten(2))
    return std.view(content.shape) * normalize_channels(content) + mean.view(content.shape)


class AdaptiveAttentionNorm(nn.Module):
    """AdaAttN: spatial attention that transfers local mean and deviation, DatNet eqs. (3)-(7).

    Source: AdaAttN (Liu et al., ICCV 2021).

    Args:
        value_channels: Channels of the content and style features.
        key_channels: Channels of the attention keys, see :func:`attention_key`.
        max_style_positions: In training, attention sees at most this many style positions, a new
            random choice in every step; in evaluation it sees all of them.
    """

    def __init__(
        self, value_channels: int, key_channels: int, max_style_positions: int = 4096
    ) -> None:
        super().__init__()
        self.query = nn.Conv2d(key_channels, key_channels, 1)
        self.key = nn.Conv2d(key_channels, key_channels, 1)
        self.value = nn.Conv2d(value_channels, value_channels, 1)
        self.max_style_positions = max_style_positions

    @torch.no_grad()
    def start_with_features(self) -> None:
        """Begin with attention that compares the features themselves and averages style features.

        That is the attention without learnable parts of the local feature loss, but softer. Random
        projections, which AdaAttN's code begins with, make random likenesses, which scramble the
        content until the network has learnt better.
        """
        channels = self.query.in_channels
        for layer in (self.query, self.key):
            nn.init.dirac_(layer.weight).mul_((SELF_LOGIT / channels) ** 0.5)
        nn.init.dirac_(self.value.weight)

    def forward(
        self, content: Tensor, style: Tensor, content_key: Tensor, style_key: Tensor
    ) -> Tensor:
        """Paint content features with style features.

        Args:
            content: ``(B, value_channels, H, W)``.
            style: ``(B, value_channels, Hs, Ws)``.
            content_key: ``(B, key_channels, H, W)``, normalised.
            style_key: ``(B, key_channels, Hs, Ws)``, normalised.

        Returns:
            ``(B, value_channels, H, W)``.
        """
        if self.training and style[0, 0].numel() > self.max_style_positions:
            chosen = torch.randperm(style[0, 0].numel())[: self.max_style_positions]
            chosen = chosen.to(style.device)
            style = style.flatten(2)[:, :, chosen, None]
            style_key = style_key.flatten(2)[:, :, chosen, None]
        return adaptive_attention_norm(
            content, self.query(content_key), self.key(style_key), self.value(style)
        )
