"""The metrics that an evaluation measures."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from datnet.errors import DatNetError
from datnet.evaluation.metrics import (
    INDEPENDENT,
    METRICS,
    SET_METRICS,
    Column,
    Metric,
    SetMetric,
    pair_metrics,
)


@dataclass(frozen=True)
class Chosen:
    """Metrics in the order of table columns.

    Attributes:
        of_pairs: Metrics with a value for each pair.
        of_sets: Metrics with one value for all results.
    """

    of_pairs: tuple[Metric, ...]
    of_sets: tuple[SetMetric, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """All metrics."""
        return self.of_pairs + self.of_sets

    @property
    def embeds(self) -> bool:
        """Whether the embeddings of results and styles are needed."""
        return bool(self.of_sets)


def all_metrics() -> Chosen:
    """Return all metrics that are measured by default."""
    return Chosen(tuple(METRICS), tuple(SET_METRICS))


def choose_metrics(keys: Sequence[str]) -> Chosen:
    """Return metrics by key, with those from which they are computed.

    Args:
        keys: Keys of metrics, in any order; or "default" for those that are measured by default
            and "independent" for :data:`~datnet.evaluation.metrics.INDEPENDENT`.

    Raises:
        DatNetError: If a key is unknown.
    """
    groups = {
        "default": [column.key for column in (*METRICS, *SET_METRICS)],
        "independent": list(INDEPENDENT),
    }
    known = [*groups, *(column.key for column in (*pair_metrics(), *SET_METRICS))]
    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"metrics are: {', '.join(known)}"
            raise DatNetError(f"{key} is not a metric; {hint}")
    keys = [key for name in keys for key in groups.get(name, [name])]
    of_sets = tuple(metric for metric in SET_METRICS if metric.key in keys)
    wanted = {*keys, *(key for metric in of_sets for key in metric.needs)}
    return Chosen(tuple(metric for metric in pair_metrics() if metric.key in wanted), of_sets)
