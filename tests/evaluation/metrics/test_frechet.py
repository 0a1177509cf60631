from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import sqrtm

from datnet.evaluation.metrics.frechet import FrechetDistance, frechet_distance
from tests.helpers.measuring import ON_A_LINE


def white(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    """Vectors whose mean is 0 and whose unbiased covariance is the identity, both exactly."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions))
    vectors -= vectors.mean(axis=0)
    orthonormal, _ = np.linalg.qr(vectors)
    return orthonormal * math.sqrt(count - 1)


@pytest.mark.parametrize("count", [2, 5, 40, 200])
def test_equal_sets_have_distance_0_in_any_order(count: int) -> None:
    vectors = np.random.default_rng(1).standard_normal((count, 40)).astype(np.float32)
    assert frechet_distance(vectors, vectors) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(vectors, vectors[::-1]) == pytest.approx(0, abs=1e-10)


def test_a_shift_counts_by_its_square() -> None:
    vectors = np.random.default_rng(2).standard_normal((30, 50))
    shift = np.linspace(-1, 2, 50)
    expected = np.square(shift).sum()
    assert frechet_distance(vectors, vectors + shift) == pytest.approx(expected, rel=1e-10)


def test_commuting_covariances() -> None:
    # Diagonal covariances: (m1 - m2)² + (s1 - s2)² in every dimension.
    means, deviations = np.array([[0.0, 1, 2], [4, 1, 0]]), np.array([[1.0, 2, 3], [3, 0.5, 3]])
    first, second = (
        white(60, 3, seed) * deviation + mean
        for seed, mean, deviation in zip((3, 4), means, deviations, strict=True)
    )
    expected = np.square(means[0] - means[1]).sum() + np.square(deviations[0] - deviations[1]).sum()
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-10)


def test_agrees_with_a_matrix_square_root_and_is_symmetric() -> None:
    generator = np.random.default_rng(5)
    first, second = (
        generator.standard_normal((count, 6)) @ generator.standard_normal((6, 6)) + offset
        for count, offset in ((50, 0.0), (80, 0.3))
    )
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    expected = np.square(first.mean(0) - second.mean(0)).sum()
    expected += np.trace(a + b - 2 * sqrtm(a @ b)).real
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-9)


def test_fewer_vectors_than_dimensions() -> None:
    # Along one line each, at an angle: S1 = a² uuᵀ, S2 = b² vvᵀ, tr of the root = a b |u·v|.
    u, v = np.eye(100)[0], (np.eye(100)[0] + np.eye(100)[1]) / math.sqrt(2)
    first, second = np.outer([-1, 0, 1], u) * 2, np.outer([-1, 0, 1], v) * 3
    expected = 4 + 9 - 2 * 2 * 3 / math.sqrt(2)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-10)
    # Sets of different sizes, one of them a point.
    point = np.zeros((7, 100))
    assert frechet_distance(first, point) == pytest.approx(4, rel=1e-10)


def test_undefined_where_there_is_no_covariance() -> None:
    vectors = np.zeros((3, 4))
    assert math.isnan(frechet_distance(vectors[:1], vectors))
    assert math.isnan(frechet_distance(vectors, vectors[:0]))
    for broken in (math.nan, math.inf):
        assert math.isnan(frechet_distance(vectors, vectors + broken))
    for other in (np.zeros((3, 5)), np.zeros(4)):
        with pytest.raises(ValueError, match="shapes"):
            frechet_distance(vectors, other)


def test_frechet_distance_of_sets_by_hand() -> None:
    metric = FrechetDistance()
    assert metric.measure(*ON_A_LINE, {}) == pytest.approx(11)
    assert metric.measure(*(points[:1] for points in ON_A_LINE), {}) is None
    assert metric.measure(ON_A_LINE[0] * np.nan, ON_A_LINE[1], {}) is None
