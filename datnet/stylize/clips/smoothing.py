"""Reduce flicker by blending stylized frames with previous ones.

A network stylizes each frame independently: noise in the clip, or a subpixel shift, makes strokes
appear and disappear.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from datnet.stylize.clips.motion import optical_flow, reduce

UNCHANGED, CHANGED = 4 / 255, 16 / 255
"""Content differences up to which blending is full, and from which there is none."""

REFERENCE_SIDE = 256
"""Shorter side at which differences are averaged over 3 × 3 pixels; the window scales with it."""

CUT = 0.5
"""Fraction of changed pixels above which a frame is not blended."""


class TemporalSmoothing:
    """Motion-compensated exponential smoothing over time.

    The stylized frame becomes ``(1 - w) · frame + w · warped previous blended frame``. The weight
    ``w`` of a pixel is the strength where the content has not changed, falls to 0 where it has
    changed or comes into view, and is 0 everywhere at a cut. The content is blended with the same
    weights, and changes are measured against the blended content. So neither wrong motion nor slow
    change, with steps too small to detect, leaves a trail.

    Args:
        strength: Smoothing strength in [0, 1). Strokes change within about ``1 / (1 - strength)``
            frames.
        device: Device to blend on.

    Raises:
        ValueError: If strength is out of range.
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
            content: Frame of the clip, ``(H, W, 3)`` uint8; all frames have the same size.
            result: Stylized frame, ``(H', W', 3)`` uint8; its size may differ.

        Returns:
            The blended frame, ``(H', W', 3)`` uint8.
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
        """Return the frame as ``(1, 3, H, W)`` in [0, 1]."""
        return torch.tensor(pixels, device=self._device).permute(2, 0, 1)[None].float().div(255)


def warp(frame: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Warp a frame to the next one by optical flow.

    Args:
        frame: ``(1, 3, H, W)`` in [0, 1].
        flow: ``(2, H', W')``, flow from the next frame to this one (down, right), in pixels of the
            size ``(H', W')``.

    Returns:
        The warped frame ``(1, 3, H, W)``, and a mask ``(1, 1, H, W)``: 1 where the source was
        inside the frame, else 0.
    """
    height, width = frame.shape[-2:]
    # grid_sample takes coordinates in [-1, 1], so a side has the length 2.
    sides = torch.tensor(flow.shape[-2:], device=flow.device)[:, None, None]
    shift = functional.interpolate((2 * flow / sides)[None], (height, width), mode="bilinear")[0]
    y = ((torch.arange(height, device=flow.device) + 0.5) * 2 / height - 1)[:, None] + shift[0]
    x = ((torch.arange(width, device=flow.device) + 0.5) * 2 / width - 1)[None] + shift[1]
    # Bilinear sampling would blur the image a little more in each frame.
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
    """Measure how far pixels are unchanged between two frames.

    The difference is averaged over a small window, so that noise cancels out. Then the maximum over
    a window of twice the size is taken, because strokes around a changing object change with it.

    Args:
        before: ``(1, 3, H, W)`` in [0, 1].
        after: Same shape and range.

    Returns:
        ``(1, 1, H, W)`` in [0, 1]: 1 where the frames are equal, 0 where they differ.
    """
    radius = max(1, round(min(after.shape[-2:]) / REFERENCE_SIDE))
    difference = functional.avg_pool2d(
        after - before, 2 * radius + 1, 1, radius, count_include_pad=False
    )
    difference = difference.abs().amax(1, keepdim=True)
    difference = functional.max_pool2d(difference, 4 * radius + 1, 1, 2 * radius)
    return ((CHANGED - difference) / (CHANGED - UNCHANGED)).clamp(0, 1)
