"""The folder of one evaluation. Each pair is written to disk before the next one starts.

::

    pairs.csv       the pairs, by file name
    protocol.json   the settings and the SHA-256 of every image, which must not change on resuming
    results.csv     one row per pair, written as soon as the pair is measured
    embeddings.npy  (pairs, 2, C): the encoder's mean features at relu5_1 of each pair's result and
                    style, for the set metrics; NaN until the pair is measured
    summary.json    means and intervals, written at the end
    network.json    for a network: the name, SHA-256 and header of its file
    images/         CONTENT__STYLE.png, if requested
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datnet.errors import DatNetError
from datnet.evaluation.metrics import METRICS, OPTIONAL_METRICS, Metric
from datnet.images.files import complete_or_absent, errors_name, write_text

Names = tuple[str, str]
"""Names of a pair's content and style."""


class ResultFolder:
    """An evaluation on disk.

    Args:
        path: The folder; created if missing.
        settings: JSON values by name, which must not change when an evaluation is continued.
        pairs: Names of the pairs.
        embedding_size: Number of elements of an embedding.

    Attributes:
        path: The folder.
        pairs: Names of the pairs.
        values: Values measured so far by pair, each by the key of the metric.
        embeddings: ``(pairs, 2, C)``, float32, of result and style, mapped to the file.

    Raises:
        DatNetError: If the folder holds an evaluation with other settings, or a damaged one.
    """

    def __init__(
        self, path: Path, settings: Mapping[str, Any], pairs: Sequence[Names], embedding_size: int
    ) -> None:
        self.path = path
        self.pairs = list(pairs)
        _start_or_continue(path, settings, self.pairs)
        self.values = read_results(self._results_file)
        self.embeddings = _open_embeddings(
            path / "embeddings.npy", (len(self.pairs), 2, embedding_size)
        )
        # Removes an incomplete last row, so that the next row starts on a new line.
        self.write_all()

    @property
    def _results_file(self) -> Path:
        return self.path / "results.csv"

    def is_embedded(self, number: int) -> bool:
        """Whether the embeddings of a pair are there."""
        # The style's embedding is NaN only if it was never written.
        return not np.isnan(self.embeddings[number, 1]).any()

    def add(
        self,
        number: int,
        values: Mapping[str, float],
        embeddings: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        """Add values to a pair and write them to disk.

        Args:
            number: Index of the pair.
            values: Values by the key of the metric.
            embeddings: Of result and style; None to keep the existing ones.

        Raises:
            OSError: If the disk is full; it names the file.
        """
        if embeddings is not None:
            # On disk before the pair's line in results.csv: a pair is done if both exist.
            self.embeddings[number] = embeddings
            self.embeddings.flush()
        names = self.pairs[number]
        self.values[names] = {**self.values.get(names, {}), **values}
        if not values.keys() <= set(self._header):
            self.write_all()
            return
        with (
            errors_name(self._results_file),
            self._results_file.open("a", encoding="utf-8", newline="") as file,
        ):
            file.write(as_csv([self._row(names)]))

    def write_all(self) -> None:
        """Write results.csv with one row per measured pair.

        It has a column for each metric that is measured by default, and for each optional one that
        was measured.
        """
        measured = {key for values in self.values.values() for key in values}
        self._header = header(metric for metric in OPTIONAL_METRICS if metric.key in measured)
        rows = [self._row(names) for names in self.pairs if names in self.values]
        write_text(self._results_file, as_csv([self._header, *rows]))

    def _row(self, names: Names) -> list[str]:
        values = self.values[names]
        return [*names, *(repr(values[key]) if key in values else "" for key in self._header[2:])]

    def columns(self, metrics: Iterable[Metric]) -> dict[str, list[float]]:
        """Return the values of all pairs by metric key, once all are measured."""
        return {
            metric.key: [self.values[names][metric.key] for names in self.pairs]
            for metric in metrics
        }


def _start_or_continue(path: Path, settings: Mapping[str, Any], pairs: Sequence[Names]) -> None:
    """Start an evaluation in a folder, or check that the existing one has the same settings."""
    settings_file, pairs_file = path / "protocol.json", path / "pairs.csv"
    pairs_text = as_csv([("content", "style"), *pairs])
    if not settings_file.exists():
        if (path / "results.csv").exists():
            raise DatNetError(
                f"{path} holds a results.csv without the protocol.json that belongs to it: "
                "delete or rename this folder, or choose another"
            )
        path.mkdir(parents=True, exist_ok=True)
        write_text(pairs_file, pairs_text)
        write_text(settings_file, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")
        return
    try:
        found = json.loads(settings_file.read_text(encoding="utf-8"))
        found_pairs = pairs_file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DatNetError(
            f"the evaluation in {path} cannot be continued ({error}): "
            "delete or rename this folder, or choose another"
        ) from error
    differences = []
    for name, value in settings.items():
        if found.get(name) == value:
            continue
        if name in ("contents", "styles"):
            differences.append(f"other {name}")
        else:
            differences.append(f"{name} is {found.get(name)!r} there and {value!r} now")
    if found_pairs != pairs_text:
        differences.append("other pairs")
    if differences:
        raise DatNetError(
            f"{path} holds another evaluation ({'; '.join(differences)}): "
            "delete or rename this folder, or choose another"
        )


def read_results(results_file: Path) -> dict[Names, dict[str, float]]:
    """Read the values measured so far, by the names of content and style.

    A metric that did not exist when the file was written is missing from a pair's values. An
    incomplete last row of an interrupted evaluation is dropped. If a pair has two rows the later
    one counts.

    Raises:
        DatNetError: If the file is damaged or from a newer version of DatNet.
    """
    if not results_file.exists():
        return {}
    finished, _, _ = results_file.read_bytes().rpartition(b"\n")
    first, *rows = finished.decode().split("\n")
    columns = first.split(",")
    known = header(OPTIONAL_METRICS)
    if columns[:2] != ["content", "style"] or not set(columns) <= set(known):
        raise DatNetError(
            f"{results_file} has other columns than this version of DatNet knows "
            f"({', '.join(known)}): delete or rename its folder, or choose another"
        )
    results = {}
    for number, row in enumerate(rows, start=2):
        try:
            content, style, *values = next(csv.reader([row], strict=True))
            results[content, style] = {
                key: float(value)
                for key, value in zip(columns[2:], values, strict=True)
                if value  # empty if a new metric is not yet measured for this pair
            }
        except (csv.Error, ValueError, StopIteration) as error:
            raise DatNetError(
                f"{results_file}, line {number} is damaged ({error}): delete that line, and its "
                "pair is measured again"
            ) from error
    return results


def _open_embeddings(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """Map embeddings.npy into memory for reading and writing; create it if missing."""
    if not path.exists():
        with complete_or_absent(path) as unfinished, unfinished.open("wb") as file:
            np.save(file, np.full(shape, np.nan, np.float32))
    try:
        embeddings = np.lib.format.open_memmap(path, mode="r")  # r+ would extend a truncated file
        if (embeddings.shape, embeddings.dtype) != (shape, np.float32):
            raise ValueError(f"it holds {embeddings.dtype} of shape {embeddings.shape}")
    except (OSError, ValueError) as error:
        raise DatNetError(
            f"{path} is damaged ({error}): delete it, and its pairs are measured again"
        ) from error
    return np.lib.format.open_memmap(path, mode="r+")


def header(optional: Iterable[Metric] = ()) -> list[str]:
    """Return the columns of results.csv.

    Args:
        optional: Metrics besides those that are measured by default.
    """
    return ["content", "style", *(metric.key for metric in (*METRICS, *optional))]


def as_csv(rows: Iterable[Sequence[str]]) -> str:
    """Format rows as CSV with Unix line ends."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
