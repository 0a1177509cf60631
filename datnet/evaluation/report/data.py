"""What a report is about: evaluations on the same pictures, and which metrics speak for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datnet.errors import DatNetError
from datnet.evaluation.controls import CONTROLS
from datnet.evaluation.differences import PairValues, mean_pair_values
from datnet.evaluation.finished import FinishedEvaluation, open_evaluation
from datnet.evaluation.metrics import Column, pair_metrics
from datnet.evaluation.pairs import Pair
from datnet.evaluation.summary import EvaluationSummary

STYLE = ("style_alex", "style_distance", "gram_distance", "color_distance", "sifid_alex")
"""Metrics that can stand for style, the most independent one first."""

CONTENT = ("lpips_alex", "lpips_vgg", "ssim", "dists", "cfsd_vgg16", "content_distance", "psnr")
"""Metrics that can stand for content."""


@dataclass(frozen=True)
class Row:
    """An evaluation with what was measured.

    Attributes:
        evaluation: Its folder.
        summary: Its means.
        values: Its values pair by pair.
    """

    evaluation: FinishedEvaluation
    summary: EvaluationSummary
    values: PairValues

    @property
    def title(self) -> str:
        """Its title in tables."""
        return self.evaluation.title

    @property
    def is_control(self) -> bool:
        """Whether it is one of the controls."""
        return self.title in CONTROLS


@dataclass(frozen=True)
class ReportData:
    """The content of a report.

    Attributes:
        rows: Controls first.
        metrics: Metrics that all rows have.
        style: The metric that stands for style in plots; None if there is none.
        content: Likewise for content.
        pairs: Picture files of all pairs by their names; empty if they are not at hand.
    """

    rows: Sequence[Row]
    metrics: Sequence[Column]
    style: Column | None
    content: Column | None
    pairs: dict[tuple[str, str], Pair]

    @property
    def networks(self) -> list[Row]:
        """Rows that are no controls."""
        return [row for row in self.rows if not row.is_control]


def find_evaluations(paths: Sequence[Path]) -> list[FinishedEvaluation]:
    """Find evaluations.

    Args:
        paths: Folders of evaluations, or folders that hold them.

    Returns:
        Controls first, the others in the given order.

    Raises:
        DatNetError: If a folder holds none, or two have one title.
    """
    found: dict[str, FinishedEvaluation] = {}
    for path in paths:
        inside = sorted(file.parent for file in path.glob("*/protocol.json"))
        folders = [path] if (path / "protocol.json").exists() or not inside else inside
        for folder in folders:
            evaluation = open_evaluation(folder)
            if evaluation.title in found:
                raise DatNetError(
                    f"{found[evaluation.title].folder} and {folder} are both called "
                    f"{evaluation.title}: leave one out"
                )
            found[evaluation.title] = evaluation
    controls = [found[title] for title in CONTROLS if title in found]
    return [*controls, *(each for title, each in found.items() if title not in CONTROLS)]


def read_rows(evaluations: Sequence[FinishedEvaluation]) -> list[Row]:
    """Read what evaluations measured.

    Args:
        evaluations: At least one.

    Raises:
        DatNetError: If one is not finished, or they are of different pictures or protocols.
    """
    rows = [
        Row(
            evaluation,
            EvaluationSummary.load(evaluation.folder / "summary.json"),
            mean_pair_values([evaluation.folder]),
        )
        for evaluation in evaluations
    ]
    first = rows[0]
    for other in rows[1:]:
        hashes = {first.summary.protocol_sha256, other.summary.protocol_sha256} - {""}
        same = (first.summary.pictures, first.evaluation.size) == (
            other.summary.pictures,
            other.evaluation.size,
        )
        if not same or len(hashes) > 1:
            raise DatNetError(
                f"{first.evaluation.folder} and {other.evaluation.folder} cannot stand in one "
                "report: they were measured on different pictures or by different protocols"
            )
    return rows


def common_metrics(rows: Sequence[Row]) -> list[Column]:
    """Return the metrics of pairs that all rows have, in the order of table columns.

    Raises:
        DatNetError: If there is none.
    """
    keys = set.intersection(*(set(next(iter(row.values.values()))) for row in rows))
    metrics: list[Column] = [metric for metric in pair_metrics() if metric.key in keys]
    if not metrics:
        raise DatNetError("these evaluations have no metric in common: evaluate them again")
    return metrics


def first_of(keys: Sequence[str], metrics: Sequence[Column]) -> Column | None:
    """Return the metric whose key comes first in a list; None if there is none."""
    by_key = {metric.key: metric for metric in metrics}
    return next((by_key[key] for key in keys if key in by_key), None)
