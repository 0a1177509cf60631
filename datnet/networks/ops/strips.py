"""Process large maps in horizontal strips to bound the memory of intermediate maps.

An output row of a stack of convolutions, pooling and upsampling depends on a few input rows around
it. A strip that is cut with this many extra rows above and below gives exactly the rows of the full
map, so there are no seams. Operations on the full map (statistics, attention) are left out of the
strips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from datnet.networks.ops.convolution import borders_are_circular

LARGEST_UNCUT = 2**25
"""Largest feature map, in elements, that is processed as one: relu1_1 at 724 × 724 pixels."""


def in_strips(
    layers: Callable[..., Tensor],
    maps: Sequence[Tensor],
    *,
    input_rows: Sequence[int],
    output_rows: int,
    margin: int,
    numbers_per_row: int,
) -> Tensor:
    """Apply layers to maps, in strips if an intermediate map is larger than :data:`LARGEST_UNCUT`.

    With gradients there are no strips, since the backward pass keeps the intermediate maps anyway;
    nor in torch.export, which cannot trace a loop of unknown length.

    Args:
        layers: Takes the maps, or the same strip of each, and returns one map.
        maps: Each ``(B, C, H, W)``.
        input_rows: Rows of each map that correspond to each other, such as (1, 2) if the second map
            has twice the height of the first. The last group of rows may be incomplete.
        output_rows: Rows of the output for one group of ``input_rows``.
        margin: Groups of ``input_rows`` added above and below each strip, at least the receptive
            field of an output row.
        numbers_per_row: Elements of the largest intermediate map for one group of ``input_rows``.

    Returns:
        ``layers(*maps)``.
    """
    if torch.is_grad_enabled() or torch.compiler.is_exporting():
        return layers(*maps)
    count = max(-(-m.shape[2] // rows) for m, rows in zip(maps, input_rows, strict=True))
    height = max(1, LARGEST_UNCUT // numbers_per_row)
    if height >= count:
        return layers(*maps)
    lead = 0  # groups before the first
    if borders_are_circular():  # the rows above the first are the last ones
        lead = margin
        maps = [
            torch.cat([m[:, :, -margin * rows :], m, m[:, :, : margin * rows]], dim=2)
            for m, rows in zip(maps, input_rows, strict=True)
        ]
    whole, filled = None, 0
    for top in range(0, count, height):
        first = max(0, top + lead - margin)
        cut = [
            m[:, :, first * rows : (top + lead + height + margin) * rows]
            for m, rows in zip(maps, input_rows, strict=True)
        ]
        result = layers(*cut)
        if whole is None:
            shape = *result.shape[:2], count * output_rows, result.shape[3]
            whole = torch.empty(
                shape,
                dtype=result.dtype,
                device=result.device,
                memory_format=memory_format_of(result),
            )
        begin = (top + lead - first) * output_rows
        strip = result[:, :, begin : begin + min(height, count - top) * output_rows]
        whole[:, :, filled : filled + strip.shape[2]] = strip
        filled += strip.shape[2]
    assert whole is not None
    return whole[:, :, :filled]


def memory_format_of(maps: Tensor) -> torch.memory_format:
    """Memory format of a map: channels last or contiguous."""
    channels_last = maps.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format
