"""The contents × styles protocol: every content image with every style image, one row per pair.

An evaluation is a folder, see :mod:`datnet.evaluation.result_folder`. It can be interrupted at any
time and continues when it is started again. An evaluation that was finished before a metric was
added is completed with that metric.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch
from tqdm import tqdm

from datnet import provenance
from datnet.evaluation.chosen import Chosen, all_metrics
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics import SET_METRICS, pair_metrics
from datnet.evaluation.metrics.features import ENCODER
from datnet.evaluation.pairs import Pair, short_names
from datnet.evaluation.result_folder import ResultFolder
from datnet.evaluation.row import Evaluation, Outcome, Task, ThisProcess
from datnet.evaluation.saved_results import SavedResults
from datnet.evaluation.summary import Estimate, EvaluationSummary
from datnet.evaluation.targets import Targets
from datnet.images.reading import read_image


class Measurer(Protocol):
    """Measures pairs of the rows of a table, in this process or in others."""

    def measure(self, evaluation: Evaluation, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task, in any order."""


def evaluate(
    evaluation: Evaluation,
    metrics: Metrics,
    device: torch.device | str = "cpu",
    *,
    chosen: Chosen | None = None,
    measurer: Measurer | None = None,
) -> EvaluationSummary:
    """Stylize all pairs, measure them and write the results to a folder.

    If the folder holds a part of this evaluation, only the missing pairs are stylized. If pairs
    lack a metric because it is newer than the folder, only that metric is measured, on the saved
    image if there is one.

    Args:
        evaluation: The evaluation.
        metrics: The metrics; moved to ``device``.
        device: Where to compute.
        chosen: What to measure; by default all metrics.
        measurer: Measures the pairs, with ``metrics`` on ``device``. Rows of a table share one, and
            with it what they have in common.

    Returns:
        The summary of what was chosen. summary.json has all metrics that the folder has.

    Raises:
        DatNetError: Before anything is stylized: if an image cannot be read, or the folder holds an
            evaluation with other settings.
        ValueError: If a result does not have the shape ``(1, 3, size, size)``.
    """
    chosen = chosen or all_metrics()
    digests = _check_images({path for pair in evaluation.pairs for path in pair})
    folder = _open_folder(evaluation, metrics, digests)
    if measurer is None:
        metrics.eval().to(device)
        measurer = ThisProcess(Targets(metrics, evaluation.size, device))
    _measure_missing(evaluation, folder, chosen, measurer)
    summary = _summarize(evaluation, folder, metrics, digests, chosen)
    complete = _complete(folder)
    everything = (
        summary
        if complete == chosen
        else _summarize(evaluation, folder, metrics, digests, complete)
    )
    everything.save(evaluation.folder / "summary.json")
    return summary


def protocol_text(
    pairs: Sequence[Pair], size: int, encoder_name: str, chosen: Chosen | None = None
) -> str:
    """Describe how a table was measured: a sentence on pairs, then one for each set metric.

    Args:
        pairs: All pairs.
        size: Side of the images in pixels.
        encoder_name: The encoder of the metrics; ``Metrics.encoder_name``.
        chosen: What was measured; by default all metrics.

    Returns:
        The text. Summaries with different texts are not put in one table.
    """
    contents = len({content for content, _ in pairs})
    styles = len({style for _, style in pairs})
    if contents * styles == len(pairs):
        amount = f"{contents} contents × {styles} styles = {len(pairs)} results"
    else:
        amount = f"{len(pairs)} results from {contents} contents and {styles} styles"
    chosen = chosen or all_metrics()
    clauses = []
    if chosen.of_pairs:
        clauses.append(f"measured by {'; '.join(metric.words for metric in chosen.of_pairs)}")
    if any(column.networks == ENCODER for column in chosen.columns):
        clauses.append(f"features are those of {encoder_name}")
    clauses.append("in brackets are 95% bootstrap intervals over contents and styles.")
    return " ".join(
        [
            f"{amount} at {size}×{size} pixels (short side resized with antialiasing, center "
            f"crop), clamped and rounded to 8 bits, {'; '.join(clauses)}",
            *(metric.words for metric in chosen.of_sets),
        ]
    )


def _check_images(paths: Iterable[Path]) -> dict[Path, str]:
    """Decode all images, so that a bad one is found at the start; return their SHA-256."""
    digests = {}
    for path in tqdm(sorted(paths), "checking images", leave=False):
        read_image(path)
        digests[path] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digests


def _open_folder(
    evaluation: Evaluation, metrics: Metrics, digests: dict[Path, str]
) -> ResultFolder:
    names = short_names(evaluation.pairs)
    named = list(zip(evaluation.pairs, names, strict=True))
    settings: dict[str, Any] = {
        "description": evaluation.description,
        "size": evaluation.size,
        "save_images": evaluation.save_images,
        "encoder": metrics.encoder_name,
        "contents": {name: digests[content] for (content, _), (name, _) in named},
        "styles": {name: digests[style] for (_, style), (_, name) in named},
    }
    if isinstance(evaluation.source, SavedResults) and evaluation.source.fit != "crop":
        settings["fit"] = evaluation.source.fit
    return ResultFolder(evaluation.folder, settings, names, metrics.embedding_size)


def _tasks(folder: ResultFolder, chosen: Chosen) -> list[Task]:
    """Return what the folder still lacks, pair by pair."""
    tasks = []
    for number, names in enumerate(folder.pairs):
        values = folder.values.get(names, {})
        missing = tuple(metric.key for metric in chosen.of_pairs if metric.key not in values)
        embed = chosen.embeds and not folder.is_embedded(number)
        if missing or embed:
            tasks.append(Task(number, missing, embed, is_kept=bool(values)))
    return tasks


def _measure_missing(
    evaluation: Evaluation, folder: ResultFolder, chosen: Chosen, measurer: Measurer
) -> None:
    """Measure what is missing for each pair and write it to the folder."""
    missing = _tasks(folder, chosen)
    tasks = []
    for task in missing:
        known = folder.values.get(folder.pairs[task.number], {})
        if any(map(math.isnan, known.values())) and not task.embed:
            # The result contains NaN: all its metrics are undefined.
            folder.add(task.number, dict.fromkeys(task.metrics, math.nan))
        else:
            tasks.append(task)
    warned: set[str] = set()
    progress = tqdm(
        measurer.measure(evaluation, tasks) if tasks else (),
        evaluation.description,
        initial=len(evaluation.pairs) - len(tasks),
        total=len(evaluation.pairs),
        unit="pair",
    )
    for outcome in progress:
        folder.add(outcome.number, outcome.values, outcome.embeddings)
        if outcome.problem and outcome.problem not in warned:
            warned.add(outcome.problem)
            content, style = folder.pairs[outcome.number]
            warnings.warn(
                f"the result for content {content} with style {style} {outcome.problem} "
                "(only the first such result is named)",
                stacklevel=3,
            )
    if missing:
        folder.write_all()


def _complete(folder: ResultFolder) -> Chosen:
    """Return the metrics that all pairs have."""
    of_pairs = tuple(
        metric
        for metric in pair_metrics()
        if all(metric.key in folder.values.get(names, {}) for names in folder.pairs)
    )
    keys = {metric.key for metric in of_pairs}
    are_embedded = all(map(folder.is_embedded, range(len(folder.pairs))))
    of_sets = tuple(
        metric for metric in SET_METRICS if are_embedded and keys.issuperset(metric.needs)
    )
    return Chosen(of_pairs, of_sets)


def _summarize(
    evaluation: Evaluation,
    folder: ResultFolder,
    metrics: Metrics,
    digests: dict[Path, str],
    chosen: Chosen,
) -> EvaluationSummary:
    contents, styles = zip(*folder.pairs, strict=True)
    values = folder.columns(chosen.of_pairs)
    results, of_styles = folder.embeddings[:, 0], folder.embeddings[:, 1]
    pictures = "".join(
        f"{digests[content]} {digests[style]}\n" for content, style in evaluation.pairs
    )
    text = protocol_text(evaluation.pairs, evaluation.size, metrics.encoder_name, chosen)
    protocol = evaluation.protocol
    if protocol is not None and protocol.name:
        text += f" Protocol {protocol.name}, SHA-256 {protocol.sha256[:12]}…"
    return EvaluationSummary(
        description=evaluation.description,
        protocol=text,
        pictures=hashlib.sha256(pictures.encode()).hexdigest(),
        metrics={
            key: Estimate.of_pairs(column, contents, styles) for key, column in values.items()
        },
        set_metrics={
            metric.key: metric.measure(results, of_styles, values) for metric in chosen.of_sets
        },
        versions={
            name: version(name)
            for name in ("datnet", "torch", "torchmetrics", "lpips", "scikit-image")
        }
        | {"commit": provenance.commit() or "unknown"},
        protocol_name=protocol.name if protocol else "",
        protocol_sha256=protocol.sha256 if protocol else "",
    )
