"""Flicker of a stylized video, measured as warping error.

Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018), section 4.2, warp the previous
frame with the optical flow of the content and compare it with the current frame where nothing is
occluded. They use a flow network; here the flow is that of :mod:`datnet.stylize.clips.motion`, so
values are comparable among videos of DatNet, not with papers.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from datnet.stylize.clips.motion import optical_flow, reduce

MOST_PAIRS = 48
"""Maximum number of frame pairs compared, spread evenly over the video."""

LEAST_VISIBLE = 0.5
"""Minimum fraction of pixels visible in both frames of a pair; at a cut it is smaller."""


class FlickerMeter:
    """Collects pairs of consecutive frames of a video and compares them at the end.

    Memory is bounded: above 48 pairs every second one is dropped, and from then on only every
    second, fourth, … pair is kept. Frames are reduced to a shorter side of 128, so flicker of
    single pixels, which video coding changes anyway, is not measured.
    """

    def __init__(self) -> None:
        self._frames_seen = 0
        self._stride = 1
        self._before: tuple[np.ndarray, np.ndarray] | None = None
        self._pairs: list[tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = []

    def add(self, content: np.ndarray, result: np.ndarray) -> None:
        """Add the next frame.

        Args:
            content: Frame of the clip, ``(H, W, 3)`` uint8.
            result: Stylized frame, ``(H', W', 3)`` uint8; its size may differ.
        """
        position = self._frames_seen % self._stride
        self._frames_seen += 1
        if position not in (0, self._stride - 1):
            return
        frames = reduce(content), reduce(result, like=content)
        if position == 0 and self._before is not None:
            self._pairs.append((self._before, frames))
        self._before = frames
        if len(self._pairs) > MOST_PAIRS:
            # Pair k ends at frame (k + 1) · stride.
            self._pairs = self._pairs[1::2]
            self._stride *= 2

    def measure(self) -> tuple[float, float] | None:
        """Compute the mean warping errors of the pairs.

        Returns:
            Root mean square warping errors of result and content, in [0, 255], averaged over the
            pairs. The error of the content is the baseline; it is not 0 because of noise, changing
            light and wrong flow. None if there is no pair, or a cut in each.
        """
        errors = [
            error for pair in self._pairs if (error := compare(*pair[0], *pair[1])) is not None
        ]
        if not errors:
            return None
        result, content = np.mean(errors, axis=0)
        return float(result), float(content)


def compare(
    content_before: np.ndarray, result_before: np.ndarray, content: np.ndarray, result: np.ndarray
) -> tuple[float, float] | None:
    """Compute the warping errors of a pair of frames.

    Args:
        content_before: Previous frame of the clip, ``(H, W, 3)`` uint8; all four have this shape.
        result_before: Previous frame, stylized.
        content: Current frame of the clip.
        result: Current frame, stylized.

    Returns:
        Root mean square errors of result and content, in [0, 255], over the pixels visible in both
        frames; None if fewer than half are.
    """
    rows, columns = np.mgrid[: content.shape[0], : content.shape[1]].astype(np.float32)
    backward = optical_flow(content, content_before)
    source = np.stack([rows, columns]) + backward
    forward = optical_flow(content_before, content)
    returning = np.stack(
        [map_coordinates(part, source, order=1, mode="nearest") for part in forward]
    )
    visible = not_occluded(backward, returning)
    for place, side in zip(source, content.shape[:2], strict=True):
        visible &= (place >= 0) & (place <= side - 1)
    if visible.mean() < LEAST_VISIBLE:
        return None
    return (
        warping_error(result_before, result, source, visible),
        warping_error(content_before, content, source, visible),
    )


def not_occluded(flow: np.ndarray, returning: np.ndarray) -> np.ndarray:
    """Return a mask of pixels that pass the forward–backward consistency check.

    Sundaram et al., "Dense Point Trajectories by GPU-Accelerated Large Displacement Optical Flow"
    (ECCV 2010), equation 5.

    Args:
        flow: ``(2, H, W)``, in pixels.
        returning: The opposite flow, sampled where ``flow`` points to, ``(2, H, W)``.

    Returns:
        ``(H, W)`` bool, True where a pixel is visible in both frames.
    """
    squares = (flow**2).sum(0) + (returning**2).sum(0)
    return ((flow + returning) ** 2).sum(0) < 0.01 * squares + 0.5


def warping_error(
    before: np.ndarray, after: np.ndarray, source: np.ndarray, visible: np.ndarray
) -> float:
    """Compute the root mean square difference between a frame and the warped previous frame.

    Args:
        before: Previous frame, ``(H, W, 3)`` uint8.
        after: Current frame, of the same shape.
        source: ``(2, H, W)``, positions in ``before`` of the pixels of ``after``.
        visible: ``(H, W)`` bool, the pixels to compare.

    Returns:
        The error in [0, 255].
    """
    warped = np.stack(
        [map_coordinates(before[..., c].astype(np.float32), source, order=1) for c in range(3)], -1
    )
    return float(np.sqrt(np.mean((warped - after)[visible] ** 2)))
