"""Fréchet distance between two sets of images, modeled as normal distributions of features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from datnet.evaluation.metrics.features import ENCODER
from datnet.evaluation.metrics.metric import SetMetric

Normal = tuple[np.ndarray, np.ndarray]
"""The mean ``(D,)``, and a matrix ``F`` such that ``FᵀF`` is the covariance."""


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two normal distributions fitted to two sets.

    ``|m1 - m2|² + tr(S1 + S2 - 2 (S1^½ S2 S1^½)^½)`` with the means and the unbiased covariances of
    the sets (Dowson and Landau 1982; as the FID of Heusel et al., NeurIPS 2017). With
    ``S1 = AᵀA`` and ``S2 = BᵀB`` the trace of the root is the sum of the singular values of
    ``A Bᵀ``. No covariance is formed and no root of a rounding error is taken, so sets with fewer
    vectors than dimensions, whose covariances are singular, need no special case.

    The distance grows as the sets become smaller: only compare it between sets of the same sizes.

    Args:
        first: ``(N, D)``, one vector per image.
        second: ``(M, D)``.

    Returns:
        At least 0; NaN if a set has fewer than two vectors or an element is not finite.

    Raises:
        ValueError: If the shapes are others.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"the sets must have shapes (N, D) and (M, D), got {first.shape} and {second.shape}"
        )
    if min(len(first), len(second)) < 2 or not (
        np.isfinite(first).all() and np.isfinite(second).all()
    ):
        return math.nan
    return normal_distance(fit_normal(first), fit_normal(second))


def normal_distance(first: Normal, second: Normal) -> float:
    """Squared Fréchet distance of two normal distributions.

    Args:
        first: From :func:`fit_normal`.
        second: Likewise.

    Returns:
        At least 0.
    """
    (mean, factor), (other_mean, other_factor) = first, second
    root = np.linalg.svd(factor @ other_factor.T, compute_uv=False).sum()
    distance = np.square(mean - other_mean).sum()
    distance += np.square(factor).sum() + np.square(other_factor).sum() - 2 * root
    return max(0.0, float(distance))


def fit_normal(vectors: np.ndarray) -> Normal:
    """Fit a normal distribution to ``(N, D)`` vectors, with the unbiased covariance."""
    vectors = vectors.astype(np.float64)
    mean = vectors.mean(axis=0)
    deviations = (vectors - mean) / math.sqrt(len(vectors) - 1)
    return mean, np.linalg.qr(deviations).R


class FrechetDistance(SetMetric):
    """Fréchet distance between the results and the styles, with one style per pair.

    As in the protocol of StyleID (Chung et al., CVPR 2024), but this is NOT the published FID,
    whose features come from an Inception-v3; here they come from VGG-16, so the scale differs.
    There is no interval: the distance grows as the number of different images falls, and a
    resampled set has fewer, so a bootstrap would be biased. For the same reason only evaluations on
    the same pairs can be compared.
    """

    key = "frechet_vgg"
    label = "FD (VGG)"
    better = "low"
    decimals = 1
    source = "Heusel et al., NeurIPS 2017, in VGG-16 instead of Inception"
    networks = ENCODER
    words = (
        "FD (VGG) is the Fréchet distance between all results and the styles of their pairs, "
        "in features of relu5_1 of the same encoder averaged over positions: not comparable "
        "with published FID, which uses an Inception network, and without an interval, because "
        "resampling inflates a Fréchet distance."
    )

    def measure(
        self, results: np.ndarray, styles: np.ndarray, pairs: Mapping[str, Sequence[float]]
    ) -> float | None:
        distance = frechet_distance(results, styles)
        return None if math.isnan(distance) else distance
