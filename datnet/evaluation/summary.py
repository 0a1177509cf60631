"""Means of one evaluation, as a file and as rows of a table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from datnet.errors import DatNetError
from datnet.evaluation.bootstrap import bootstrap_interval
from datnet.evaluation.metrics import METRICS, SET_METRICS
from datnet.images.files import write_text


@dataclass(frozen=True)
class Estimate:
    """The mean of one metric over all pairs.

    Attributes:
        mean: Infinite if a value is infinite (PSNR of identical images), NaN if a value is NaN.
        ci95: 95% bootstrap interval, low and high end; None for a number that was published
            without one.
        count: Number of pairs.
        infinite: How many of them have an infinite value.
        undefined: How many of them have no value, because the result held NaN.
    """

    mean: float
    ci95: tuple[float, float] | None = None
    count: int = 0
    infinite: int = 0
    undefined: int = 0

    @classmethod
    def of_pairs(
        cls, values: Sequence[float], contents: Sequence[str], styles: Sequence[str]
    ) -> Estimate:
        """Mean and interval of one value per pair; see :func:`bootstrap_interval`."""
        return cls(
            mean=float(np.mean(values)),
            ci95=bootstrap_interval(values, contents, styles),
            count=len(values),
            infinite=sum(map(math.isinf, values)),
            undefined=sum(map(math.isnan, values)),
        )


@dataclass(frozen=True)
class EvaluationSummary:
    """One evaluation of one network: a row of a table.

    As JSON an infinite or undefined number is null, since JSON has neither; ``infinite`` and
    ``undefined`` beside it say which it is. So the PSNR of the identity control has a mean of null
    and ``infinite`` equal to ``count``.

    Attributes:
        description: What was evaluated; the title of its row.
        protocol: Says how; it belongs above the table.
        pictures: SHA-256 over the list of pairs and the image files in it: two summaries with the
            same value were measured on the same pictures.
        metrics: An estimate for each key of :data:`datnet.evaluation.metrics.METRICS`.
        set_metrics: A number for each key of :data:`datnet.evaluation.metrics.SET_METRICS`; None
            where it is undefined.
        versions: Versions of the packages that the numbers depend on.
    """

    description: str
    protocol: str
    pictures: str
    metrics: dict[str, Estimate]
    set_metrics: dict[str, float | None]
    versions: dict[str, str]

    def estimates(self) -> dict[str, Estimate | None]:
        """All numbers of the row, those of the whole set as means without an interval."""
        of_set = {
            key: None if value is None else Estimate(value)
            for key, value in self.set_metrics.items()
        }
        return {**self.metrics, **of_set}

    def to_json(self) -> str:
        """Write as strict JSON."""
        entries = _finite_or_null(asdict(self))
        return json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> EvaluationSummary:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: If the text is something else.
        """
        entries = json.loads(text, parse_constant=_refuse_constant)
        metrics = {key: _estimate_from_json(entry) for key, entry in entries["metrics"].items()}
        missing = {field.name for field in fields(cls)} - entries.keys()
        if missing:
            raise ValueError(f"another version of DatNet wrote it, without {', '.join(missing)}")
        return cls(**{**entries, "metrics": metrics})

    def save(self, path: Path) -> None:
        """Write the JSON to a file, never half of it."""
        write_text(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> EvaluationSummary:
        """Read the file that :meth:`save` wrote.

        Raises:
            DatNetError: If there is no such file or it is no summary.
        """
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise DatNetError(f"{path} does not exist: run the evaluation to its end") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatNetError(
                f"{path} is not a summary that `datnet evaluate` wrote ({error}): "
                "delete it and run the evaluation again"
            ) from error


def summary_table(summaries: Sequence[EvaluationSummary]) -> str:
    """The protocol sentence and a Markdown table with a row for each evaluation.

    Args:
        summaries: In the order of the rows; ``description`` is the title of a row.

    Raises:
        DatNetError: If they were not measured on the same pictures by the same protocol.
        ValueError: If there are none, or two have the same description.
    """
    first = summaries[0] if summaries else None
    rows = {summary.description: summary.estimates() for summary in summaries}
    if first is None or len(rows) != len(summaries):
        raise ValueError("summary_table needs at least one summary, each with its own description")
    for other in summaries:
        if (other.protocol, other.pictures) != (first.protocol, first.pictures):
            raise DatNetError(
                f'"{first.description}" and "{other.description}" cannot stand in one table: they '
                "were measured on different pictures or by different protocols. Evaluate both on "
                "the same images with this version of DatNet; what an older one measured is kept"
            )
    return f"{first.protocol}\n\n{markdown_table(rows)}"


def markdown_table(rows: Mapping[str, Mapping[str, Estimate | None]]) -> str:
    """A Markdown table with a column for each metric that any row has.

    Args:
        rows: From the title of a row to its estimates by metric key. A metric that a row lacks, or
            has as None, is printed as a dash; an interval that an estimate lacks is left out.
    """
    columns = [
        column
        for column in (*METRICS, *SET_METRICS)
        if any(column.key in row for row in rows.values())
    ]
    lines = [
        ["", *(f"{column.label} {column.arrow}" for column in columns)],
        ["---", *("---:" for _ in columns)],
    ]
    for title, row in rows.items():
        cells = [
            format_estimate(estimate, column.decimals) if (estimate := row.get(column.key)) else "–"
            for column in columns
        ]
        lines.append([" ".join(title.split()).replace("|", "\\|"), *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def format_estimate(estimate: Estimate, decimals: int) -> str:
    """Mean and interval for a table: ``0.5950 [0.5712, 0.6177]``.

    The mean stands alone if there is no interval or if both its ends are printed like the mean.
    """
    mean = format_number(estimate.mean, decimals)
    if estimate.ci95 is None:
        return mean
    low, high = (format_number(end, decimals) for end in estimate.ci95)
    return mean if low == mean == high else f"{mean} [{low}, {high}]"


def format_number(value: float, decimals: int) -> str:
    """A number with a fixed number of decimals; ∞ for infinity, "undefined" for NaN."""
    if math.isnan(value):
        return "undefined"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value:z.{decimals}f}"  # z: no -0.0000


def _estimate_from_json(entry: dict[str, Any]) -> Estimate:
    missing = math.nan if entry["undefined"] else math.inf

    def restore(number: float | None) -> float:
        return missing if number is None else number

    interval = entry["ci95"] and tuple(map(restore, entry["ci95"]))
    return Estimate(**{**entry, "mean": restore(entry["mean"]), "ci95": interval})


def _finite_or_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite_or_null(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite_or_null(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
