"""Means and intervals of an evaluation, as a file and as rows of a table."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.evaluation.bootstrap import bootstrap_interval
from datnet.evaluation.metrics import SET_METRICS, pair_metrics
from datnet.images.files import write_text


@dataclass(frozen=True)
class Estimate:
    """The mean of one metric over all pairs.

    Attributes:
        mean: Infinite if a value is infinite (PSNR of identical images), NaN if a value is NaN.
        ci95: 95% bootstrap interval, lower and upper end; None for a value without one.
        count: Number of pairs.
        infinite: Number of pairs with an infinite value.
        undefined: Number of pairs without a value, because the result contains NaN.
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
        """Compute mean and interval of one value per pair, see :func:`bootstrap_interval`.

        Args:
            values: One value per pair.
            contents: The content of each pair.
            styles: The style of each pair.

        Returns:
            The estimate.
        """
        return cls(
            mean=float(np.mean(values)),
            ci95=bootstrap_interval(values, contents, styles),
            count=len(values),
            infinite=sum(map(math.isinf, values)),
            undefined=sum(map(math.isnan, values)),
        )


@dataclass(frozen=True)
class EvaluationSummary:
    """Summary of one evaluation: a row of a table.

    JSON has no infinite or undefined numbers, so they are saved as null; ``infinite`` and
    ``undefined`` tell them apart. For example, the PSNR of the identity control has a mean of null
    and ``infinite`` equal to ``count``.

    Attributes:
        description: What was evaluated; the title of its row.
        protocol: How it was measured; printed above the table.
        pictures: SHA-256 over the list of pairs and their image files: two summaries with the same
            value were measured on the same images.
        metrics: An estimate for each key of :func:`datnet.evaluation.metrics.pair_metrics` that was
            measured.
        set_metrics: A value for each key of :data:`datnet.evaluation.metrics.SET_METRICS`; None if
            undefined.
        versions: Versions of the packages that the values depend on.
        protocol_name: Name of the protocol, if it has one.
        protocol_sha256: SHA-256 of the protocol, see
            :class:`~datnet.evaluation.named_protocol.NamedProtocol`; empty if it was not recorded.
    """

    description: str
    protocol: str
    pictures: str
    metrics: dict[str, Estimate]
    set_metrics: dict[str, float | None]
    versions: dict[str, str]
    protocol_name: str = ""
    protocol_sha256: str = ""

    def comparable(self, other: EvaluationSummary) -> bool:
        """Whether two evaluations were measured on the same pictures by the same protocol."""
        hashes = {self.protocol_sha256, other.protocol_sha256} - {""}
        return ((self.protocol, self.pictures) == (other.protocol, other.pictures)) and len(
            hashes
        ) < 2

    def estimates(self) -> dict[str, Estimate | None]:
        """Return all values of the row; set metrics are means without an interval."""
        of_set = {
            key: None if value is None else Estimate(value)
            for key, value in self.set_metrics.items()
        }
        return {**self.metrics, **of_set}

    def to_json(self) -> str:
        """Return the summary as strict JSON."""
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
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        missing = needed - entries.keys()
        if missing:
            raise ValueError(f"another version of DatNet wrote it, without {', '.join(missing)}")
        return cls(**{**entries, "metrics": metrics})

    def save(self, path: Path) -> None:
        """Write the JSON to a file, atomically."""
        write_text(path, self.to_json())

    @classmethod
    def load(cls, path: Path) -> EvaluationSummary:
        """Read the file that :meth:`save` wrote.

        Raises:
            DatNetError: If the file does not exist or is no summary.
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
    """Return the protocol text and a Markdown table with a row per evaluation.

    Args:
        summaries: In the order of the rows; ``description`` is the title of a row.

    Raises:
        DatNetError: If they were not measured on the same images with the same protocol.
        ValueError: If there are none, or two have the same description.
    """
    first = summaries[0] if summaries else None
    rows = {summary.description: summary.estimates() for summary in summaries}
    if first is None or len(rows) != len(summaries):
        raise ValueError("summary_table needs at least one summary, each with its own description")
    for other in summaries:
        if not first.comparable(other):
            raise DatNetError(
                f'"{first.description}" and "{other.description}" cannot stand in one table: they '
                "were measured on different images or by different protocols. Evaluate both on "
                "the same images with this version of DatNet; values measured earlier are kept"
            )
    return f"{first.protocol}\n\n{markdown_table(rows)}"


class GrowingTable:
    """Prints :func:`summary_table` row by row; called with each summary."""

    def __init__(self) -> None:
        self._summaries: list[EvaluationSummary] = []

    def __call__(self, summary: EvaluationSummary) -> None:
        """Print the next row; before the first one, the protocol and the header."""
        self._summaries.append(summary)
        lines = summary_table(self._summaries)
        if len(self._summaries) > 1:
            lines = lines.rpartition("\n")[2]
        tqdm.write(lines)
        sys.stdout.flush()


def markdown_table(rows: Mapping[str, Mapping[str, Estimate | None]]) -> str:
    """Return a Markdown table with a column for each metric that any row has.

    Args:
        rows: Estimates by metric key, by the title of the row. A metric that is missing or None is
            printed as a dash; a missing interval is left out.
    """
    columns = [
        column
        for column in (*pair_metrics(), *SET_METRICS)
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
    """Format mean and interval for a table: ``0.5950 [0.5712, 0.6177]``.

    Args:
        estimate: The estimate.
        decimals: Number of decimals.

    Returns:
        The text; only the mean if there is no interval or both its ends look like the mean.
    """
    mean = format_number(estimate.mean, decimals)
    if estimate.ci95 is None:
        return mean
    low, high = (format_number(end, decimals) for end in estimate.ci95)
    return mean if low == mean == high else f"{mean} [{low}, {high}]"


def format_number(value: float, decimals: int) -> str:
    """Format a number for a table.

    Args:
        value: The number.
        decimals: Number of decimals.

    Returns:
        The text; "∞" for infinity, "undefined" for NaN.
    """
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
