"""How much a painted video flickers: the warping error of its frames.

Lai et al., "Learning Blind Video Temporal Consistency" (ECCV 2018), section 4.2, warp the frame
before by the optical flow of the content and take the difference to the frame, where nothing is
occluded. They use a flow network, here it is :mod:`datnet.stylize.clips.motion`: so numbers compare
among videos of DatNet, not with papers.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

from datnet.stylize.clips.motion import optical_flow, reduce

MOST_PAIRS = 48
"""Pairs of consecutive frames, spread evenly over the video, that are compared."""

LEAST_VISIBLE = 0.5
"""Share of a frame's pixels that must have been visible before; at a cut it is less."""


class FlickerMeter:
    """Collects pairs of consecutive frames while a video is made, and compares them at its end.

    Memory is bounded: with more than 48 pairs every second one is dropped and from then on only
    every second, fourth, … pair is taken. Frames are reduced to a short side of 128, so flicker of
    single pixels, which the coding of the video changes anyway, does not count.
    """

    def __init__(self) -> None:
        self._frames_seen = 0
        self._stride = 1
        self._before: tuple[np.ndarray, np.ndarray] | None = None
        self._pairs: list[tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]] = []

    def add(self, content: np.ndarray, result: np.ndarray) -> None:
        """Take the next frame.

        Args:
            content: ``(H, W, 3)`` uint8, the clip's frame.
            result: ``(H', W', 3)`` uint8, the painted one; it may have another size.
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
        """Compare the pairs.

        Returns:
            Root mean square warping errors of the result and of the content, in levels of 255, on
            average over the pairs. The content's is not 0 because of noise, changing light and
            wrong flow, and is the baseline. None if there is no pair, or cuts between all.
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
    """Warping errors of a pair of frames.

    Args:
        content_before: ``(H, W, 3)`` uint8; all four have one size.
        result_before: The same frame, painted.
        content: The frame after it.
        result: The same frame, painted.

    Returns:
        Root mean square differences of result and content, in levels of 255, over the pixels that
        are visible in both frames; None if these are less than half.
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
    """Pixels whose way there and back ends near where it began.

    Sundaram et al., "Dense Point Trajectories by GPU-Accelerated Large Displacement Optical Flow"
    (ECCV 2010), equation 5.

    Args:
        flow: ``(2, H, W)``, in pixels.
        returning: The opposite flow, where ``flow`` leads to.

    Returns:
        ``(H, W)``, True where a pixel is visible in both frames.
    """
    squares = (flow**2).sum(0) + (returning**2).sum(0)
    return ((flow + returning) ** 2).sum(0) < 0.01 * squares + 0.5


def warping_error(
    before: np.ndarray, after: np.ndarray, source: np.ndarray, visible: np.ndarray
) -> float:
    """Root mean square difference of a frame and the one before it, warped, in levels of 255.

    Args:
        before: ``(H, W, 3)`` uint8.
        after: The same.
        source: ``(2, H, W)``, where pixels of ``after`` are in ``before``.
        visible: ``(H, W)``, the pixels that count.
    """
    warped = np.stack(
        [map_coordinates(before[..., c].astype(np.float32), source, order=1) for c in range(3)], -1
    )
    return float(np.sqrt(np.mean((warped - after)[visible] ** 2)))
