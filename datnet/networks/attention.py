"""Channel attention (ECA) and spatial attention (AdaAttN), the dual attention of DatNet.

Shapes: ``B`` batch, ``C`` channels, ``H W`` height and width, ``N = H * W`` positions, ``Nc``
content positions and ``Ns`` style positions.

Both modules and their inputs are in this file, since they are what the DatNet paper is about.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.errors import DatNetWarning
from datnet.networks.ops.exported_attention import exported_attention_mean
from datnet.networks.ops.fast_attention import fast_attention_mean
from datnet.networks.ops.fused_attention import fused_attention_mean, has_fused_kernels
from datnet.networks.ops.tiled_attention import tiled_attention_mean, whole_attention_mean
from datnet.networks.statistics import full_precision, normalize_channels

Resize = Literal["bilinear", "nearest"]
AttentionWay = Literal["exact", "fast"]

# Up to this many query–key pairs the full attention matrix is computed at once, which is faster
# (measured on two CPU cores: for 1024 × 1024 positions, but not for 2048 × 2048).
UNTILED_COMPARISONS = 2**21

# From this many query–key pairs on, fast attention is faster than exact attention. At relu3_1 that
# is where content and style have 256 × 256 pixels.
FAST_COMPARISONS = 2**24

# Maximum number of query–key pairs; beyond it attention is fast, or in training uses fewer style
# positions. At relu3_1 this begins where content and style have more than 1448 × 1448 pixels.
MOST_COMPARISONS = 2**34

# Mean logit of a position with itself at the identity initialization. The features are normalized,
# so without scaling it is the number of channels, and attention is nearly one-hot.
SELF_LOGIT = 20.0

# Gate logit at the open initialization of a channel whose neighborhood has a mean of 1, the mean of
# encoder features over photographs: a gate of 0.98.
OPEN_LOGIT = 4.0

# Added to the attention-weighted variance: the square root has an infinite gradient at 0, which
# occurs for one-hot attention and for a constant style.
ATTENTION_VARIANCE_EPSILON = 1e-10


# A context variable, so that threads which share a network can choose for themselves.
_way: ContextVar[AttentionWay] = ContextVar("attention", default="exact")


@contextmanager
def attention_way(way: AttentionWay) -> Iterator[None]:
    """Choose how attention over positions is computed within a ``with`` block.

    Args:
        way: "exact", the default; or "fast", which multiplies only the keys that matter, see
            :mod:`datnet.networks.ops.fast_attention`. Where gradients are needed, or few positions
            make it no faster, attention stays exact.
    """
    token = _way.set(way)
    try:
        yield
    finally:
        _way.reset(token)


class EfficientChannelAttention(nn.Module):
    """ECA: scale each channel by a gate, computed from the means of the neighboring channels.

    Global average pooling, a 1-D convolution over the channels, sigmoid. Source: ECA-Net (Wang et
    al., CVPR 2020); DatNet eq. (1) with gamma = 2 and b = 1, which gives kernel sizes 3, 5, 5, 5
    for 64, 128, 256, 512 channels.

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
        """Scale each channel of ``(B, C, H, W)`` by its gate."""
        return features * self.gates(features)

    @torch.no_grad()
    def start_open(self) -> None:
        """Initialize gates close to 1: the logit is OPEN_LOGIT times the mean of the neighbors.

        For weights from a network without channel attention. Randomly initialized gates are 0.5 on
        average and would halve its features.
        """
        nn.init.constant_(self.conv.weight, OPEN_LOGIT / self.conv.weight.numel())

    def gates(self, features: Tensor) -> Tensor:
        """Gate of each channel of ``(B, C, H, W)``, in (0, 1): ``(B, C, 1, 1)``."""
        means = full_precision(features).mean(dim=(2, 3))  # (B, C)
        gates = torch.sigmoid(self.conv(means.unsqueeze(1))).squeeze(1)  # (B, C)
        return gates[:, :, None, None].to(features.dtype)


def attention_key(features: Sequence[Tensor], level: int, resize: Resize = "bilinear") -> Tensor:
    """Concatenate all features up to a level as attention query or key, DatNet eqs. (2) and (3).

    Levels 1 … ``level`` are resized to the size of the last one, normalized per channel (mean–std)
    and concatenated from shallow to deep.

    Args:
        features: Features of relu1_1, relu2_1, …, at least ``level`` of them, each
            ``(B, C, H, W)``.
        level: 1 … 5 for relu1_1 … relu5_1. DatNet uses 3, 4 and 5: 448, 960 and 1472 channels.
        resize: Downsampling of shallow features: "bilinear" as in the papers, or "nearest" as in
            AdaAttN's code.

    Returns:
        The key ``(B, sum of channels, H, W)`` at the size of ``features[level - 1]``.

    Raises:
        ValueError: If ``level`` is not among the given features, or ``resize`` is neither.
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
    """Features and attention keys (see :func:`attention_key`) of several levels, in one pass.

    Only downsampled copies of each level are kept, so a generator of features can free the large
    shallow levels one by one.

    Args:
        features: Features of relu1_1 … up to the deepest level in ``sizes``.
        sizes: The levels to return, each with the height and width of its features.
        resize: See :func:`attention_key`.
        channel_attention: One ECA module per level. Its gates commute with resizing, so they are
            applied to the downsampled copies.

    Returns:
        For each level in ``sizes``: features ``(B, C, H, W)`` and key
        ``(B, sum of channels, H, W)``.

    Raises:
        ValueError: If ``resize`` is neither "bilinear" nor "nearest".
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
    """Mean of the values, weighted by softmax(query · key).

    Without 1/√d scaling (as in AdaAttN and SANet), in at least float32, with memory linear in the
    number of positions, see :mod:`datnet.networks.ops.tiled_attention`. Exact, unless
    :func:`attention_way` says otherwise or there are more than :data:`MOST_COMPARISONS` query–key
    pairs: then it is fast, with a warning. Where gradients are needed it sees a random sample of so
    many style positions instead, the same in each call.

    Args:
        query: ``(B, K, Nc)``.
        key: ``(B, K, Ns)``.
        value: ``(B, V, Ns)``.

    Returns:
        The weighted mean for each query, ``(B, V, Nc)``.
    """
    if torch.compiler.is_exporting():
        return exported_attention_mean(query, key, value)
    with torch.autocast(query.device.type, enabled=False):
        query, key, value = full_precision(query), full_precision(key), full_precision(value)
        comparisons = query.shape[2] * key.shape[2]
        too_many = comparisons > MOST_COMPARISONS
        gradients = torch.is_grad_enabled() and any(
            each.requires_grad for each in (query, key, value)
        )
        if too_many and gradients:
            seen = _sample_of_positions(key.shape[2], MOST_COMPARISONS // query.shape[2])
            seen = seen.to(key.device)
            key, value = key.index_select(2, seen), value.index_select(2, seen)
        elif not gradients and (
            too_many or (_way.get() == "fast" and comparisons >= FAST_COMPARISONS)
        ):
            if _way.get() == "exact":
                _warn("the pictures are so large that attention is fast instead of exact")
            if has_fused_kernels(query.device) and not too_many:
                return fused_attention_mean(query, key, value)
            return fast_attention_mean(query, key, value)
        if comparisons <= UNTILED_COMPARISONS:
            return whole_attention_mean(query, key, value)
        return tiled_attention_mean(query, key, value)


def _warn(message: str) -> None:
    warnings.warn(message, DatNetWarning, stacklevel=3)


def _sample_of_positions(count: int, wanted: int) -> Tensor:
    """Sorted random indices of ``wanted`` of ``count`` positions, the same in each call."""
    wanted = max(1, wanted)
    _warn(f"the pictures are so large that attention sees {wanted} of {count} style positions")
    chosen = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:wanted]
    return chosen.sort().values


def attention_moments(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Attention-weighted mean and standard deviation of the values, DatNet eqs. (4)-(6).

    The variance E[v²] - E[v]² is a difference of large numbers. Centering the values by their mean
    over all positions does not change the variance and keeps most of its digits.

    Args:
        query: ``(B, K, Nc)``.
        key: ``(B, K, Ns)``.
        value: ``(B, V, Ns)``.

    Returns:
        Mean and standard deviation for each query, each ``(B, V, Nc)``, at least float32.
    """
    value = full_precision(value)
    center = value.mean(dim=2, keepdim=True)
    centered = value - center
    mean, mean_of_squares = attention_mean(
        query, key, torch.cat([centered, centered.square()], dim=1)
    ).chunk(2, dim=1)
    variance = torch.relu(mean_of_squares - mean.square())
    return mean + center, (variance + ATTENTION_VARIANCE_EPSILON).sqrt()


def adaptive_attention_norm(content: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """AdaAttN: give each content position the attention-weighted style statistics, DatNet eq. (7).

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
    """AdaAttN: attention-weighted style mean and std for each content position, eqs. (3)-(7).

    Learnable 1 × 1 convolutions make query, key and value. Source: AdaAttN (Liu et al., ICCV 2021).

    Args:
        value_channels: Channels of the content and style features.
        key_channels: Channels of the attention keys, see :func:`attention_key`.
        max_style_positions: In training, attention uses at most this many style positions, sampled
            again in each step; in evaluation it uses all of them.
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
        """Initialize query, key and value as scaled identities, so attention compares features.

        This is the attention without learnable kernels of the local feature loss, but softer.
        Random projections, as in AdaAttN's code, give random similarities, which scramble the
        content until the network has learned better ones.
        """
        channels = self.query.in_channels
        for layer in (self.query, self.key):
            nn.init.dirac_(layer.weight).mul_((SELF_LOGIT / channels) ** 0.5)
        nn.init.dirac_(self.value.weight)

    def forward(
        self, content: Tensor, style: Tensor, content_key: Tensor, style_key: Tensor
    ) -> Tensor:
        """Transfer style statistics to content features.

        Args:
            content: ``(B, value_channels, H, W)``.
            style: ``(B, value_channels, Hs, Ws)``.
            content_key: ``(B, key_channels, H, W)``, normalized.
            style_key: ``(B, key_channels, Hs, Ws)``, normalized.

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
