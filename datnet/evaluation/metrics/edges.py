"""Canny edges, and the agreement of a result's edges with those of its content."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.feature import canny
from torch import Tensor

from datnet.evaluation.metrics.metric import Metric, Picture

LUMINANCE = (0.2125, 0.7154, 0.0721)
"""Weights of red, green and blue (Rec. 709)."""

SIGMA = 2.0
"""Standard deviation in pixels of the Gaussian that smooths the luminance."""

LOW_THRESHOLD, HIGH_THRESHOLD = 0.1, 0.2
"""Hysteresis thresholds of the Sobel gradient's length, which is 8 × the luminance slope per pixel.
At σ = 2 a straight step of 1/8 of the range starts an edge and one of 1/16 continues it."""

TOLERANCE, TOLERANCE_SIZE = 2.0, 512
"""Edges of two images match within 2 pixels at 512 × 512; see :func:`tolerance`."""


def canny_edges(image: Tensor) -> np.ndarray:
    """Detect the edges of an image with Canny's method (PAMI 1986) on its luminance.

    Args:
        image: ``(3, H, W)`` or ``(1, 3, H, W)``, float RGB in [0, 1].

    Returns:
        ``(H, W)``, True at edges, which are one pixel wide, or two where a step lies between
        pixels.

    Raises:
        ValueError: If the shape is another.
    """
    if image.shape[-3:-2] != (3,) or image.ndim > 4 or image.shape[:-3].numel() != 1:
        raise ValueError(
            f"image has shape {tuple(image.shape)}; it must be (3, H, W) or (1, 3, H, W)"
        )
    red, green, blue = image.detach().cpu().double().reshape(3, *image.shape[-2:]).numpy()
    luminance = LUMINANCE[0] * red + LUMINANCE[1] * green + LUMINANCE[2] * blue
    return canny(luminance, SIGMA, LOW_THRESHOLD, HIGH_THRESHOLD)


def tolerance(height: int, width: int) -> float:
    """Return the distance in pixels within which edges match.

    It is 2 for a short side of 512 and proportional to it, but at least 1, since Canny's edges lie
    on whole pixels.

    Args:
        height: Height of the images in pixels.
        width: Width of the images in pixels.

    Returns:
        The tolerance in pixels, at least 1.
    """
    return max(1.0, TOLERANCE * min(height, width) / TOLERANCE_SIZE)


def edge_agreement(result: np.ndarray, content: np.ndarray) -> float:
    """F-measure of the edges of a result against those of its content.

    Precision is the fraction of the result's edge pixels that have an edge pixel of the content
    within :func:`tolerance`; recall is the reverse. The F-measure is
    ``2 · precision · recall / (precision + recall)``. Pixels are not matched one to one. Unrelated
    images do not get 0: photographs against paintings had 0.22 on average, and more if both are
    highly textured.

    Args:
        result: Edges ``(H, W)`` from :func:`canny_edges`.
        content: The same.

    Returns:
        In [0, 1]; 1 if neither image has edges, 0 if only one has none.

    Raises:
        ValueError: If the shapes differ.
    """
    if not result.any() and not content.any():
        return 1.0
    precision, recall = share_near(result, content), share_near(content, result)
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def new_edges(result: np.ndarray, content: np.ndarray) -> float:
    """Fraction of a result's edge pixels without an edge pixel of the content nearby.

    Brush strokes add such edges; photorealistic transfer must not. A result without edges has no
    new ones, so the value is only meaningful together with :func:`edge_agreement`.

    Args:
        result: Edges ``(H, W)`` from :func:`canny_edges`.
        content: The same.

    Returns:
        In [0, 1].

    Raises:
        ValueError: If the shapes differ.
    """
    near = share_near(result, content)
    return 1 - near if result.any() else 0.0


def share_near(edges: np.ndarray, others: np.ndarray) -> float:
    """Fraction of edge pixels that have one of the others within :func:`tolerance`.

    Args:
        edges: Edges ``(H, W)``.
        others: The same.

    Returns:
        In [0, 1]; 0 if one of the images has no edges.

    Raises:
        ValueError: If the shapes differ.
    """
    if edges.shape != others.shape:
        raise ValueError(f"edges of shapes {edges.shape} and {others.shape} cannot be compared")
    if not edges.any() or not others.any():
        return 0.0
    return float((distance_transform_edt(~others)[edges] <= tolerance(*edges.shape)).mean())


def edges_of(picture: Picture) -> np.ndarray:
    """Return the Canny edges ``(H, W)`` of a picture."""
    return canny_edges(picture.pixels)


class EdgeAgreement(Metric):
    """F-measure of the Canny edges of result and content, see :func:`edge_agreement`."""

    key = "edge_agreement"
    label = "edges"
    better = "high"
    decimals = 4
    source = "edges of Canny, PAMI 1986; F-measure as in Martin et al., PAMI 2004"
    words = (
        f"edges (F-measure of Canny edges of result and content, σ {SIGMA:g}, thresholds "
        f"{LOW_THRESHOLD} and {HIGH_THRESHOLD}, tolerance {TOLERANCE:g} px at {TOLERANCE_SIZE} px "
        "and in proportion)"
    )

    def prepare_content(self, content: Picture) -> np.ndarray:
        return content.once(edges_of)

    def measure(self, result: Picture, content: np.ndarray, style: None) -> float:
        return edge_agreement(result.once(edges_of), content)


class NewEdges(Metric):
    """Fraction of the result's edges that are not in the content, see :func:`new_edges`.

    Together with the edge agreement it shows how well a result preserves the photograph.
    """

    key = "new_edges"
    label = "new edges"
    better = "low"
    decimals = 4
    source = "edges of Canny, PAMI 1986"
    words = "new edges (share of the result's edges that are none of the content's, likewise)"

    def prepare_content(self, content: Picture) -> np.ndarray:
        return content.once(edges_of)

    def measure(self, result: Picture, content: np.ndarray, style: None) -> float:
        return new_edges(result.once(edges_of), content)
