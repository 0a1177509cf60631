from __future__ import annotations

import math

import numpy as np
import pytest

from datnet.evaluation.vote import bradley_terry
from datnet.evaluation.vote.agreement import krippendorff_alpha
from datnet.evaluation.vote.bradley_terry import preference, strengths


def test_two_networks_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The maximum likelihood for two is the logarithm of the odds."""
    monkeypatch.setattr(bradley_terry, "VIRTUAL_TIES", 0.0)
    found = strengths(np.array([[0.0, 30], [10, 0]]))
    assert found[0] - found[1] == pytest.approx(math.log(3), abs=1e-6)
    assert found.sum() == pytest.approx(0, abs=1e-9)
    assert preference(found[0], found[1]) == pytest.approx(0.75, abs=1e-6)


def test_strengths_are_found_again() -> None:
    truth = np.array([1.0, 0.2, -0.3, -0.9])
    probability = 1 / (1 + np.exp(truth[None, :] - truth[:, None]))
    found = strengths(100_000 * probability * (1 - np.eye(4)))
    assert found == pytest.approx(truth, abs=1e-3)


def test_who_wins_always_is_strong_but_not_infinite() -> None:
    found = strengths(np.array([[0.0, 5, 5], [0, 0, 3], [0, 2, 0]]))
    assert np.isfinite(found).all()
    assert found[0] > found[1] > found[2]


def test_who_was_never_compared_is_in_the_middle() -> None:
    found = strengths(np.array([[0.0, 8, 0], [0, 0, 0], [0, 0, 0]]))
    assert found[0] > found[2] > found[1]


def test_draws_are_computed_at_once() -> None:
    tables = np.random.default_rng(0).integers(0, 9, (5, 3, 3)).astype(float)
    for table, found in zip(tables, strengths(tables), strict=True):
        assert found == pytest.approx(strengths(table), abs=1e-6)


def test_krippendorffs_own_example() -> None:
    """Four observers, twelve units with gaps; the nominal alpha of the literature is .743."""
    observers = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    rows = [observer.split() for observer in observers]
    units = [[value for value in unit if value != "."] for unit in zip(*rows, strict=True)]
    assert krippendorff_alpha(units) == pytest.approx(0.743, abs=5e-4)


def test_limits_of_agreement() -> None:
    assert krippendorff_alpha([["a", "a"], ["b", "b"]]) == 1
    assert krippendorff_alpha([["a", "b"], ["b", "a"]]) < 0
    assert math.isnan(krippendorff_alpha([["a"], ["b"]]))
    assert math.isnan(krippendorff_alpha([["a", "a"], ["a", "a"]]))
    assert math.isnan(krippendorff_alpha([]))
