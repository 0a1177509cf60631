"""Optical flow between the frames of a clip.

Iterative Lucas–Kanade (Le Besnerais and Champagnat, "Dense Optical Flow by Iterative Local Window
Registration", ICIP 2005) on small frames. A flow network would handle large motions better, but
need a download and a GPU.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from skimage.registration import optical_flow_ilk

SHORT_SIDE = 128
"""Shorter side, in pixels, to which frames are reduced."""

RADIUS, WARPS = 7, 3
"""Parameters of scikit-image's optical_flow_ilk. 10 warps take three times as long and are no more
accurate on photographs moved by a known shift (median error 0.1 pixels with both)."""


def reduce(frame: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    """Reduce a frame to a shorter side of 128; a smaller frame keeps its size.

    Args:
        frame: ``(H, W, 3)`` uint8.
        like: Frame that determines the size; by default ``frame``.

    Returns:
        ``(H', W', 3)`` uint8.
    """
    height, width = (frame if like is None else like).shape[:2]
    scale = min(1.0, SHORT_SIDE / min(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BOX))


def optical_flow(frame: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute the optical flow from one frame to another.

    Args:
        frame: Reduced frame, ``(H, W, 3)`` uint8.
        other: Reduced frame of the same shape.

    Returns:
        ``(2, H, W)`` float32, in pixels: the point ``(y, x)`` of ``frame`` is at
        ``(y + flow[0], x + flow[1])`` in ``other``.
    """
    gray, other_gray = (
        np.asarray(Image.fromarray(each).convert("L"), np.float32) / 255 for each in (frame, other)
    )
    return optical_flow_ilk(gray, other_gray, radius=RADIUS, num_warp=WARPS)
