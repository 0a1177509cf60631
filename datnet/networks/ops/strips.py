"""Large maps in horizontal strips, so that what layers need in between stays small.

Convolutions, pooling and enlarging see a few rows around each row they make. A strip that is cut
with that many rows more on both sides gives exactly the rows of the whole map, so strips leave no
seams. Whatever looks at a whole map (statistics, attention) stays outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

LARGEST_UNCUT = 2**25
"""Numbers in a map that is computed at once: the first level of the encoder at 724 × 724."""


def in_strips(
    layers: Callable[..., Tensor],
    maps: Sequence[Tensor],
    *,
    input_rows: Sequence[int],
    output_rows: int,
    margin: int,
    numbers_per_row: int,
) -> Tensor:
    """Apply layers to maps, strip by strip where a strip is smaller than the whole.

    Training keeps what the backward pass needs anyway, and an exported network cannot loop over
    an unknown number of strips; both take the maps whole.

    Args:
        layers: Takes the maps, or as many rows of them, and gives one map.
        maps: Each ``(B, C, H, W)``.
        input_rows: Rows of each map that belong together, such as (1, 2) where the second has
            twice the size of the first. Its last rows may be missing.
        output_rows: Rows that the layers make of them.
        margin: As many times ``input_rows`` are cut with a strip above and below it, at least what
            a row of the output depends on.
        numbers_per_row: How many numbers the largest map in between has for each time
            ``input_rows``.

    Returns:
        What ``layers(*maps)`` gives.
    """
    if torch.is_grad_enabled() or torch.compiler.is_exporting():
        return layers(*maps)
    count = max(-(-m.shape[2] // rows) for m, rows in zip(maps, input_rows, strict=True))
    height = max(1, LARGEST_UNCUT // numbers_per_row)
    if height >= count:
        return layers(*maps)
    whole, filled = None, 0
    for top in range(0, count, height):
        first = max(0, top - margin)
        cut = [
            m[:, :, first * rows : (top + height + margin) * rows]
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
        begin = (top - first) * output_rows
        strip = result[:, :, begin : begin + height * output_rows]
        whole[:, :, filled : filled + strip.shape[2]] = strip
        filled += strip.shape[2]
    assert whole is not None
    return whole[:, :, :filled]


def memory_format_of(maps: Tensor) -> torch.memory_format:
    """How maps lie in memory."""
    channels_last = maps.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format
