"""Less flicker by blending a painted frame with the ones before it.

A network paints every frame by itself: noise in the clip, or a shift by a fraction of a pixel,
becomes strokes that come and go.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from datnet.stylize.clips.motion import optical_flow, reduce

UNCHANGED, CHANGED = 4 / 255, 16 / 255
"""Differences of the content up to which all, and from which nothing, is blended."""

REFERENCE_SIDE = 256
"""The short side at which differences are averaged over 3 × 3 pixels; in proportion to it."""

CUT = 0.5
"""Share of changed pixels from which a frame is taken as it is."""


class TemporalSmoothing:
    """Exponential blending over time that follows the motion of the content.

    The painted frame becomes ``(1 - w) · frame + w · blended frame before, moved along``. The
    weight ``w`` of a pixel is the strength where the content is the same, falls to 0 where it has
    changed or comes into view, and is 0 everywhere at a cut. The content is blended with the same
    weights, and changes are measured against this blended content: so neither a wrong motion nor a
    slow change, of which each step is too small to be seen, drags a trace behind it.

    Args:
        strength: In [0, 1). A change of the strokes takes about ``1 / (1 - strength)`` frames.
        device: Where to blend.
    """

    def __init__(self, strength: float, device: torch.device) -> None:
        if not 0 <= strength < 1:
            raise ValueError(f"strength is {strength}; it must be at least 0 and below 1")
        self._strength = strength
        self._device = device
        self._before: tuple[np.ndarray, Tensor, Tensor] | None = None

    @torch.inference_mode()
    def __call__(self, content: np.ndarray, result: np.ndarray) -> np.ndarray:
        """Blend the next frame.

        Args:
            content: ``(H, W, 3)`` uint8, the clip's frame; all of one size.
            result: ``(H', W', 3)`` uint8, the painted one; it may have another size.

        Returns:
            ``(H', W', 3)`` uint8.
        """
        reduced = reduce(content)
        new_content, new_result = self._tensor(content), self._tensor(result)
        if self._before is None:
            self._before = reduced, new_content, new_result
            return result
        reduced_before, old_content, old_result = self._before
        flow = torch.from_numpy(optical_flow(reduced, reduced_before)).to(self._device)
        old_content, in_view = warp(old_content, flow)
        old_result, _ = warp(old_result, flow)
        weight = unchanged_share(old_content, new_content) * in_view
        if (weight == 0).float().mean() > CUT:
            self._before = reduced, new_content, new_result
            return result
        weight = self._strength * weight
        new_content = torch.lerp(new_content, old_content, weight)
        weight = functional.interpolate(
            weight, new_result.shape[-2:], mode="bilinear", align_corners=False
        )
        new_result = torch.lerp(new_result, old_result, weight)
        self._before = reduced, new_content, new_result
        levels = new_result[0].permute(1, 2, 0).mul(255).round()
        return levels.to(torch.uint8).cpu().numpy()

    def _tensor(self, pixels: np.ndarray) -> Tensor:
        """``(1, 3, H, W)`` in [0, 1]."""
        return torch.tensor(pixels, device=self._device).permute(2, 0, 1)[None].float().div(255)


def warp(frame: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Move a frame to where its content is in the next one.

    Args:
        frame: ``(1, 3, H, W)`` in [0, 1].
        flow: ``(2, H', W')``, where the next frame's pixels are in this one, in pixels of its own
            size, down and to the right.

    Returns:
        The moved frame, and ``(1, 1, H, W)``, 1 where it was in view and 0 where it was not.
    """
    height, width = frame.shape[-2:]
    # In units of the frame's sides, which grid_sample takes to be 2 long.
    sides = torch.tensor(flow.shape[-2:], device=flow.device)[:, None, None]
    shift = functional.interpolate((2 * flow / sides)[None], (height, width), mode="bilinear")[0]
    y = ((torch.arange(height, device=flow.device) + 0.5) * 2 / height - 1)[:, None] + shift[0]
    x = ((torch.arange(width, device=flow.device) + 0.5) * 2 / width - 1)[None] + shift[1]
    # Bilinear sampling would blur the picture a little more in every frame.
    moved = functional.grid_sample(
        frame,
        torch.stack([x, y], -1)[None],
        mode="bicubic",
        padding_mode="border",
        align_corners=False,
    )
    in_view = (x.abs() <= 1) & (y.abs() <= 1)
    return moved.clamp(0, 1), in_view[None, None].float()


def unchanged_share(before: Tensor, after: Tensor) -> Tensor:
    """How far pixels are the same in two frames.

    The difference is averaged over a small window, so that noise cancels out, and its maximum over
    a window of twice the size counts: around a thing that changes, strokes change with it.

    Args:
        before: ``(1, 3, H, W)`` in [0, 1].
        after: The same.

    Returns:
        ``(1, 1, H, W)``: 1 where they are the same, 0 where they differ.
    """
    radius = max(1, round(min(after.shape[-2:]) / REFERENCE_SIDE))
    difference = functional.avg_pool2d(
        after - before, 2 * radius + 1, 1, radius, count_include_pad=False
    )
    difference = difference.abs().amax(1, keepdim=True)
    difference = functional.max_pool2d(difference, 4 * radius + 1, 1, 2 * radius)
    return ((CHANGED - difference) / (CHANGED - UNCHANGED)).clamp(0, 1)
