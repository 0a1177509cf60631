from __future__ import annotations

import numpy as np
import pytest

from datnet.evaluation.metrics.ssim import Ssim
from datnet.evaluation.metrics.style_distance import StyleDistance
from datnet.evaluation.spread import best, means_by_picture, variance_shares, worst


def pairs_of(values: np.ndarray, key: str = "ssim") -> dict:
    """Values of one network from a table of contents × styles."""
    return {(f"c{i}", f"s{j}"): {key: float(value)} for (i, j), value in np.ndenumerate(values)}


def test_means_by_picture() -> None:
    photographs, paintings = means_by_picture(pairs_of(np.array([[1.0, 2], [3, 8]])), "ssim")
    assert photographs == {"c0": 1.5, "c1": 5.5}
    assert paintings == {"s0": 2, "s1": 5}


def test_what_only_paintings_vary_is_theirs() -> None:
    table = np.tile([0.0, 1, 5], (4, 1))
    shares = variance_shares([pairs_of(table), pairs_of(table)], "ssim")
    assert shares is not None
    assert shares["painting"] == pytest.approx(1)
    assert sum(shares.values()) == pytest.approx(1)
    one = variance_shares([pairs_of(table)], "ssim")
    assert one is not None
    assert one["painting"] == pytest.approx(1)
    assert one.keys() == {"photograph", "painting", "rest"}


def test_an_interaction_is_none_of_the_main_effects() -> None:
    """Network 0 is good where network 1 is bad: each painting and each network has mean 0."""
    table = np.tile([1.0, -1, 1, -1], (3, 1))
    shares = variance_shares([pairs_of(table), pairs_of(-table)], "ssim")
    assert shares is not None
    assert shares["network × painting"] == pytest.approx(1)


def test_known_components_are_found_again() -> None:
    generator = np.random.default_rng(0)
    networks, contents, styles = 30, 40, 50

    def effect(deviation: float, *shape: int) -> np.ndarray:
        return deviation * generator.standard_normal(shape)

    values = (
        effect(1.0, networks, 1, 1)
        + effect(0.5, 1, contents, 1)
        + effect(2.0, 1, 1, styles)
        + effect(1.0, networks, 1, styles)
        + effect(0.7, networks, contents, styles)
    )
    shares = variance_shares([pairs_of(table) for table in values], "ssim")
    assert shares is not None
    total = 1 + 0.25 + 4 + 1 + 0.49
    expected = {
        "network": 1 / total,
        "photograph": 0.25 / total,
        "painting": 4 / total,
        "network × painting": 1 / total,
        "rest": 0.49 / total,
        "network × photograph": 0,
        "photograph × painting": 0,
    }
    for part, share in expected.items():
        assert shares[part] == pytest.approx(share, abs=0.12), part


def test_where_shares_are_not_defined() -> None:
    table = np.array([[1.0, 2], [3, 8]])
    sparse = pairs_of(table)
    del sparse["c0", "s1"]
    assert variance_shares([sparse], "ssim") is None
    assert variance_shares([pairs_of(table[:1])], "ssim") is None
    assert variance_shares([pairs_of(table * np.inf)], "ssim") is None
    assert variance_shares([pairs_of(np.ones((2, 2)))], "ssim") is None


def test_worst_and_best_follow_the_direction_of_the_metric() -> None:
    pairs = {
        ("a", "x"): {"ssim": 0.1, "style_distance": 1.0},
        ("b", "x"): {"ssim": 0.9, "style_distance": 9.0},
        ("c", "x"): {"ssim": 0.8, "style_distance": 2.0},
    }
    assert worst(pairs, Ssim(), 2) == [("a", "x"), ("c", "x")]
    assert worst(pairs, StyleDistance(), 1) == [("b", "x")]
    assert best(pairs, [Ssim(), StyleDistance()], 1) == [("c", "x")]
