"""Metrics that are measured on request, and what that changes in the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.evaluation.chosen import choose_metrics
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics import METRICS, OPTIONAL_METRICS, SET_METRICS, pair_metrics
from datnet.evaluation.pairs import every_pair
from datnet.evaluation.protocol import evaluate
from datnet.evaluation.row import Evaluation
from datnet.evaluation.summary import EvaluationSummary, markdown_table
from tests.helpers.evaluations import SIZE, Blend, rows_of

Run = Callable[..., EvaluationSummary]


@pytest.fixture
def run_chosen(tmp_path: Path, metrics: Metrics, contents: list[Path], styles: list[Path]) -> Run:
    """Evaluate a blend with the named metrics."""

    def run(source: Blend, *keys: str) -> EvaluationSummary:
        evaluation = Evaluation(
            source, every_pair(contents, styles), tmp_path / "out", "blend", SIZE
        )
        return evaluate(evaluation, metrics, chosen=choose_metrics(keys or ["default"]))

    return run


def test_groups_of_metrics() -> None:
    assert choose_metrics(["default"]).of_pairs == tuple(METRICS)
    assert choose_metrics(["default"]).of_sets == tuple(SET_METRICS)
    keys = [metric.key for metric in choose_metrics(["independent"]).of_pairs]
    assert keys == ["style_alex", "gram_distance", "color_distance", "sifid_alex"]
    both = choose_metrics(["dists", "independent", "ssim"]).of_pairs
    assert [metric.key for metric in both] == ["ssim", *keys, "dists"]  # the order of columns
    with pytest.raises(DatNetError, match="did you mean independent"):
        choose_metrics(["independant"])


def test_by_default_they_are_not_measured(run_chosen: Run, tmp_path: Path) -> None:
    summary = run_chosen(Blend())
    optional = {metric.key for metric in OPTIONAL_METRICS}
    assert not optional & summary.metrics.keys()
    assert not optional & rows_of(tmp_path / "out")[0].keys()


def test_one_is_added_to_an_evaluation_and_stays(run_chosen: Run, tmp_path: Path) -> None:
    before = run_chosen(Blend())
    added = run_chosen(Blend(), "color_distance")
    assert list(added.metrics) == ["color_distance"]
    rows = rows_of(tmp_path / "out")
    assert all(0 <= float(row["color_distance"]) <= 1 for row in rows)
    assert all(row["ssim"] for row in rows)

    unused = Blend()
    again = run_chosen(unused)
    assert unused.calls == 0
    assert again == before
    assert rows_of(tmp_path / "out") == rows
    saved = EvaluationSummary.load(tmp_path / "out" / "summary.json")
    assert saved.metrics.keys() == {*before.metrics, "color_distance"}
    assert "color (RGB-uv) ↓" in markdown_table({"blend": saved.estimates()})


def test_an_interrupted_one_continues(run_chosen: Run, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_chosen(Blend(fail_at=4), "ssim", "color_distance")
    rest = Blend()
    run_chosen(rest, "ssim", "color_distance")
    assert rest.calls == 3
    assert all(row["color_distance"] for row in rows_of(tmp_path / "out"))


def test_each_metric_has_a_source_and_a_key_of_its_own() -> None:
    columns = [*pair_metrics(), *SET_METRICS]
    assert all(column.source for column in columns)
    assert len({column.key for column in columns}) == len(columns)
