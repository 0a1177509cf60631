from __future__ import annotations

import math

import numpy as np
import pytest

from datnet.evaluation.bootstrap import bootstrap_interval


def grid(contents: int, styles: int) -> tuple[list[int], list[int]]:
    """Contents and styles of all pairs."""
    content, style = np.divmod(np.arange(contents * styles), styles)
    return content.tolist(), style.tolist()


def width(interval: tuple[float, float]) -> float:
    return interval[1] - interval[0]


def test_constant_values_have_an_interval_without_width() -> None:
    low, high = bootstrap_interval([0.3] * 20, *grid(5, 4))
    assert low == pytest.approx(0.3, abs=1e-12)
    assert high == pytest.approx(0.3, abs=1e-12)


def test_agrees_with_explicit_resampling() -> None:
    """The definition, pair by pair, with the same draws of contents and styles."""
    contents, styles = ["a", "a", "b", "c", "c"], ["x", "y", "x", "y", "z"]
    values = [1.0, 2.0, 4.0, 8.0, 16.0]
    generator = np.random.default_rng(7)
    content_counts = generator.multinomial(3, [1 / 3] * 3, size=500)
    style_counts = generator.multinomial(3, [1 / 3] * 3, size=500)
    means = []
    for content_count, style_count in zip(content_counts, style_counts, strict=True):
        resample: list[float] = []
        for value, content, style in zip(values, contents, styles, strict=True):
            count = content_count["abc".index(content)] * style_count["xyz".index(style)]
            resample += [value] * int(count)
        if resample:
            means.append(np.mean(resample))
    means.sort()
    low, high = bootstrap_interval(values, contents, styles, draws=500, seed=7)
    assert low == pytest.approx(means[math.ceil(0.025 * len(means)) - 1])
    assert high == pytest.approx(means[math.ceil(0.975 * len(means)) - 1])


def test_covers_the_true_mean_where_an_interval_of_independent_pairs_does_not() -> None:
    contents, styles = grid(50, 20)
    generator = np.random.default_rng(0)
    repetitions, covered, covered_if_independent = 200, 0, 0
    for _ in range(repetitions):
        content_effect, style_effect = generator.normal(0, 1, 50), generator.normal(0, 0.5, 20)
        noise = generator.normal(0, 0.5, 1000)
        values = 5 + content_effect[contents] + style_effect[styles] + noise
        low, high = bootstrap_interval(values.tolist(), contents, styles, draws=400)
        covered += low < 5 < high
        half = 1.96 * values.std(ddof=1) / math.sqrt(1000)
        covered_if_independent += abs(values.mean() - 5) < half
    assert 0.9 <= covered / repetitions <= 0.99
    assert covered_if_independent / repetitions < 0.5


def test_contents_that_differ_widen_the_interval() -> None:
    contents, styles = grid(10, 30)
    values = np.random.default_rng(1).normal(size=10)[contents]
    independent = bootstrap_interval(values.tolist(), range(300), [0] * 300)
    assert width(bootstrap_interval(values.tolist(), contents, styles)) > 3 * width(independent)


def test_one_style_is_the_plain_bootstrap_over_contents() -> None:
    values = np.random.default_rng(2).normal(size=400).tolist()
    interval = bootstrap_interval(values, range(400), ["one"] * 400)
    assert width(interval) == pytest.approx(2 * 1.96 / math.sqrt(400), rel=0.15)


def test_the_order_of_values_within_names_does_not_matter_but_seeds_do() -> None:
    values = np.random.default_rng(3).normal(size=30).tolist()
    contents, styles = grid(6, 5)
    interval = bootstrap_interval(values, contents, styles)
    assert interval == bootstrap_interval(values, [f"content {c}" for c in contents], styles)
    assert interval != bootstrap_interval(values, contents, styles, seed=1)


def test_sparse_lists_leave_empty_draws_out() -> None:
    low, high = bootstrap_interval([1.0, 2.0, 3.0], ["a", "b", "c"], ["x", "y", "z"])
    assert (low, high) == (1.0, 3.0)


def test_infinite_and_missing_values() -> None:
    contents, styles = grid(4, 4)
    assert bootstrap_interval([math.inf] * 16, contents, styles) == (math.inf, math.inf)
    low, high = bootstrap_interval([math.inf] + [1.0] * 15, contents, styles)
    assert low == 1.0
    assert high == math.inf
    assert all(map(math.isnan, bootstrap_interval([math.nan] + [1.0] * 15, contents, styles)))


def test_lengths_that_do_not_agree_are_refused() -> None:
    with pytest.raises(ValueError, match="one entry per pair"):
        bootstrap_interval([1.0, 2.0], ["a"], ["x"])
    with pytest.raises(ValueError, match="at least one pair"):
        bootstrap_interval([], [], [])
