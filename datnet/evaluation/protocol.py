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
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.evaluation.controls import Stylize
from datnet.evaluation.measuring import ContentTarget, Metrics, StyleTarget
from datnet.evaluation.metrics import METRICS, SET_METRICS, Metric
from datnet.evaluation.pairs import Pair, image_names, short_names
from datnet.evaluation.result_folder import ResultFolder
from datnet.evaluation.saved_results import SavedResults
from datnet.evaluation.summary import Estimate, EvaluationSummary
from datnet.images.errors import UnreadableImageError
from datnet.images.reading import read_image
from datnet.images.saving import save_image
from datnet.images.tensors import read_square, to_image

SMALLEST_SIZE = 32
"""Smallest side of images, in pixels, that networks and metrics accept."""

IMAGES_KEPT = 64
"""Number of decoded images that stay in memory: 200 MB at 512 × 512."""


@dataclass(frozen=True)
class Evaluation:
    """An evaluation: its method, pairs, settings and output folder.

    Attributes:
        source: The network or one of :data:`~datnet.evaluation.controls.CONTROLS`, called under
            ``torch.no_grad`` with images on the device; or the results of another program.
        pairs: Content and style files, for example from
            :func:`~datnet.evaluation.pairs.every_pair`.
        folder: Output folder; created if missing.
        description: What is evaluated; the title of its row in tables. A folder with results of the
            same description is continued, so use another one (or folder) for other weights.
        size: Side in pixels of the squares that images are resized and cropped to.
        save_images: Whether to keep the results as PNG.

    Raises:
        DatNetError: If there are no pairs, the same pair twice, or the size is too small.
    """

    source: Stylize | SavedResults
    pairs: Sequence[Pair]
    folder: Path
    description: str
    size: int = 512
    save_images: bool = False

    def __post_init__(self) -> None:
        if not self.pairs:
            raise DatNetError(
                "there is nothing to evaluate: give at least one content and one style"
            )
        if self.size < SMALLEST_SIZE:
            raise DatNetError(
                f"size is {self.size}; images must be at least {SMALLEST_SIZE} pixels wide"
            )
        short_names(self.pairs)

    def image_files(self) -> list[Path]:
        """Return the files of the results, one per pair, which exist with `save_images`."""
        return [self.folder / "images" / name for name in image_names(self.pairs)]


def evaluate(
    evaluation: Evaluation, metrics: Metrics, device: torch.device | str = "cpu"
) -> EvaluationSummary:
    """Stylize all pairs, measure them and write the results to a folder.

    If the folder holds a part of this evaluation, only the missing pairs are stylized. If pairs
    lack a metric because it is newer than the folder, only that metric is measured, on the saved
    image if there is one.

    Args:
        evaluation: The evaluation.
        metrics: The metrics; moved to ``device``.
        device: Where to compute.

    Returns:
        The summary, as written to summary.json.

    Raises:
        DatNetError: Before anything is stylized: if an image cannot be read, or the folder holds an
            evaluation with other settings.
        ValueError: If a result does not have the shape ``(1, 3, size, size)``.
    """
    digests = _check_images({path for pair in evaluation.pairs for path in pair})
    folder = _open_folder(evaluation, metrics, digests)
    metrics.eval().to(device)
    _measure_missing(evaluation, folder, metrics, device)
    summary = _summarize(evaluation, folder, metrics, digests)
    summary.save(evaluation.folder / "summary.json")
    return summary


def protocol_text(pairs: Sequence[Pair], size: int, encoder_name: str) -> str:
    """Describe how a table was measured: a sentence on pairs, then one for each set metric.

    Args:
        pairs: All pairs.
        size: Side of the images in pixels.
        encoder_name: The encoder of the metrics; ``Metrics.encoder_name``.

    Returns:
        The text. Summaries with different texts are not put in one table.
    """
    contents = len({content for content, _ in pairs})
    styles = len({style for _, style in pairs})
    if contents * styles == len(pairs):
        amount = f"{contents} contents × {styles} styles = {len(pairs)} results"
    else:
        amount = f"{len(pairs)} results from {contents} contents and {styles} styles"
    of_pairs = "; ".join(metric.words for metric in METRICS)
    return " ".join(
        [
            f"{amount} at {size}×{size} pixels (short side resized with antialiasing, center "
            f"crop), clamped and rounded to 8 bits, measured by {of_pairs}; features are those of "
            f"{encoder_name}; in brackets are 95% bootstrap intervals over contents and styles.",
            *(metric.words for metric in SET_METRICS),
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


@dataclass(frozen=True)
class _Task:
    """The metrics that a pair still lacks."""

    number: int
    metrics: tuple[Metric, ...]
    embed: bool


def _tasks(folder: ResultFolder) -> Iterator[_Task]:
    for number, names in enumerate(folder.pairs):
        values = folder.values.get(names, {})
        missing = tuple(metric for metric in METRICS if metric.key not in values)
        if missing:
            yield _Task(number, missing, embed=not values)


def _measure_missing(
    evaluation: Evaluation, folder: ResultFolder, metrics: Metrics, device: torch.device | str
) -> None:
    """Measure what is missing for each pair and write it to the folder."""

    @lru_cache(IMAGES_KEPT)
    def load(path: Path) -> Tensor:
        return read_square(path, evaluation.size).to(device)

    @lru_cache(maxsize=1)  # pairs come content by content, and these features are large
    def content_target(path: Path, of: tuple[Metric, ...]) -> ContentTarget:
        return metrics.content_target(load(path), of)

    @cache  # 12 kB per style
    def style_target(path: Path, of: tuple[Metric, ...], embed: bool) -> StyleTarget:
        return metrics.style_target(load(path), of, embed=embed)

    def result(number: int, is_kept: bool) -> Tensor:
        content, style = evaluation.pairs[number]
        if is_kept and (kept := _read_kept(image_files[number], evaluation.size)) is not None:
            return kept.to(device)
        if isinstance(evaluation.source, SavedResults):
            output = evaluation.source.read((content, style), evaluation.size).to(device)
        else:
            # Copies, so that an in-place network changes neither targets nor cache.
            output = evaluation.source(load(content).clone(), load(style).clone()).to(device)
        if evaluation.save_images:
            save_image(to_image(output[0].nan_to_num(0)), image_files[number])
        return output

    image_files = evaluation.image_files()
    tasks = list(_tasks(folder))
    warned: set[str] = set()
    progress = tqdm(
        tasks,
        evaluation.description,
        initial=len(evaluation.pairs) - len(tasks),
        total=len(evaluation.pairs),
        unit="pair",
    )
    with torch.no_grad():
        for task in progress:
            content, style = evaluation.pairs[task.number]
            names = folder.pairs[task.number]
            known = folder.values.get(names, {})
            if any(map(math.isnan, known.values())):  # the result contains NaN: all are undefined
                folder.add(task.number, {metric.key: math.nan for metric in task.metrics})
                continue
            output = result(task.number, is_kept=bool(known) and evaluation.save_images)
            style_side = style_target(style, task.metrics, task.embed)
            content_side = content_target(content, task.metrics)
            measured = metrics.measure(
                output, content_side, style_side, task.metrics, embed=task.embed
            )
            _warn_of_odd_result(output, names, warned)
            pair_of_embeddings = None
            if measured.embedding is not None and style_side.embedding is not None:
                pair_of_embeddings = measured.embedding, style_side.embedding
            folder.add(task.number, measured.values, pair_of_embeddings)
    if tasks:
        folder.write_all()


def _read_kept(path: Path, size: int) -> Tensor | None:
    """Read the image that an earlier evaluation saved; None if it is missing or damaged."""
    try:
        return read_square(path, size)
    except UnreadableImageError:
        return None


def _summarize(
    evaluation: Evaluation, folder: ResultFolder, metrics: Metrics, digests: dict[Path, str]
) -> EvaluationSummary:
    contents, styles = zip(*folder.pairs, strict=True)
    values = folder.columns()
    results, of_styles = folder.embeddings[:, 0], folder.embeddings[:, 1]
    pictures = "".join(
        f"{digests[content]} {digests[style]}\n" for content, style in evaluation.pairs
    )
    return EvaluationSummary(
        description=evaluation.description,
        protocol=protocol_text(evaluation.pairs, evaluation.size, metrics.encoder_name),
        pictures=hashlib.sha256(pictures.encode()).hexdigest(),
        metrics={
            key: Estimate.of_pairs(column, contents, styles) for key, column in values.items()
        },
        set_metrics={
            metric.key: metric.measure(results, of_styles, values) for metric in SET_METRICS
        },
        versions={
            name: version(name)
            for name in ("datnet", "torch", "torchmetrics", "lpips", "scikit-image")
        },
    )


def _warn_of_odd_result(output: Tensor, names: tuple[str, str], warned: set[str]) -> None:
    """Warn of the first result that contains NaN and of the first that is a single color."""
    content, style = names
    problem = ""
    if output.isnan().any():
        problem = "holds NaN: its metrics, and with them all means, are undefined"
    elif output.amin((2, 3)).equal(output.amax((2, 3))):
        problem = "is a single color"
    if problem and problem not in warned:
        warned.add(problem)
        warnings.warn(
            f"the result for content {content} with style {style} {problem} "
            "(only the first such result is named)",
            stacklevel=3,
        )
