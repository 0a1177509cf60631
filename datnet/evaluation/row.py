"""One evaluation, a row of a table, pair by pair."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datnet.errors import DatNetError
from datnet.evaluation.controls import Stylize
from datnet.evaluation.encodings import Encodings
from datnet.evaluation.metrics import pair_metrics
from datnet.evaluation.named_protocol import ProtocolId
from datnet.evaluation.pairs import Pair, image_names, short_names
from datnet.evaluation.saved_results import SavedResults
from datnet.evaluation.targets import Targets
from datnet.images.errors import UnreadableImageError
from datnet.images.saving import save_image
from datnet.images.tensors import read_square, to_image
from datnet.networks.base import StyleTransferNetwork

SMALLEST_SIZE = 32
"""Smallest side of images, in pixels, that networks and metrics accept."""


@dataclass(frozen=True)
class Evaluation:
    """An evaluation: its method, pairs, settings and output folder.

    Attributes:
        source: The network, which encodes each picture once; or another function, such as one of
            :data:`~datnet.evaluation.controls.CONTROLS`, called under ``torch.no_grad`` with images
            on the device; or the results of another program.
        pairs: Content and style files, for example from
            :func:`~datnet.evaluation.pairs.every_pair`.
        folder: Output folder; created if missing.
        description: What is evaluated; the title of its row in tables. A folder with results of the
            same description is continued, so use another one (or folder) for other weights.
        size: Side in pixels of the squares that images are resized and cropped to.
        save_images: Whether to keep the results as PNG.
        protocol: The protocol that names pairs and size, for the summary.

    Raises:
        DatNetError: If there are no pairs, the same pair twice, or the size is too small.
    """

    source: Stylize | StyleTransferNetwork | SavedResults
    pairs: Sequence[Pair]
    folder: Path
    description: str
    size: int = 512
    save_images: bool = False
    protocol: ProtocolId | None = None

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


@dataclass(frozen=True)
class Task:
    """What a pair still lacks.

    Attributes:
        number: Index of the pair.
        metrics: Keys of metrics.
        embed: Whether the embeddings of result and style are missing.
        is_kept: Whether the pair was measured before, so that its saved result can be used.
    """

    number: int
    metrics: tuple[str, ...]
    embed: bool
    is_kept: bool


@dataclass(frozen=True)
class Outcome:
    """What was measured for a :class:`Task`.

    Attributes:
        number: Index of the pair.
        values: Values by the key of the metric.
        embeddings: Of result and style, if requested.
        problem: What is wrong with the result; empty if nothing is.
    """

    number: int
    values: dict[str, float]
    embeddings: tuple[np.ndarray, np.ndarray] | None
    problem: str


class Row:
    """Makes and measures the results of one evaluation.

    Args:
        evaluation: The evaluation.
        targets: What it shares with the other rows of its table.
    """

    def __init__(self, evaluation: Evaluation, targets: Targets) -> None:
        self.evaluation = evaluation
        self.targets = targets
        self._image_files = evaluation.image_files()
        network = evaluation.source
        self._encodings = (
            Encodings(network, targets) if isinstance(network, StyleTransferNetwork) else None
        )

    @torch.no_grad()
    def measure(self, task: Task) -> Outcome:
        """Stylize a pair, or read its result, and measure it.

        Raises:
            ValueError: If the result does not have the shape ``(1, 3, size, size)``.
            DatNetError: If a file cannot be read.
        """
        content, style = self.evaluation.pairs[task.number]
        of = [metric for metric in pair_metrics() if metric.key in task.metrics]
        output = self._result(task)
        of_style = self.targets.style(style, of, task.embed)
        picture, of_content = self.targets.content(content, of)
        measured = self.targets.metrics.measure(
            output,
            of_content,
            of_style,
            of,
            embed=task.embed,
            known=[picture, self.targets.picture(style)],
        )
        embeddings = None
        if measured.embedding is not None and of_style.embedding is not None:
            embeddings = measured.embedding, of_style.embedding
        return Outcome(task.number, measured.values, embeddings, _problem(output))

    def _result(self, task: Task) -> Tensor:
        pair = self.evaluation.pairs[task.number]
        file, size = self._image_files[task.number], self.evaluation.size
        device, source = self.targets.device, self.evaluation.source
        saves = self.evaluation.save_images
        if saves and task.is_kept and (kept := _read_kept(file, size)) is not None:
            return kept.to(device)
        if isinstance(source, SavedResults):
            output = source.read(pair, size).to(device)
        elif self._encodings is not None:
            output = self._encodings.stylize(*pair)
        else:
            # Copies, so that a function that works in place changes no picture.
            content, style = (self.targets.picture(path).pixels.clone() for path in pair)
            output = source(content, style).to(device)
        if saves:
            save_image(to_image(output[0].nan_to_num(0)), file)
        return output


class ThisProcess:
    """Measures rows of a table one pair after the other.

    Args:
        targets: What the rows share.
    """

    def __init__(self, targets: Targets) -> None:
        self.targets = targets

    def measure(self, evaluation: Evaluation, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task."""
        row = Row(evaluation, self.targets)
        yield from map(row.measure, tasks)


def _read_kept(path: Path, size: int) -> Tensor | None:
    """Read the image that an earlier evaluation saved; None if it is missing or damaged."""
    try:
        return read_square(path, size)
    except UnreadableImageError:
        return None


def _problem(output: Tensor) -> str:
    if output.isnan().any():
        return "holds NaN: its metrics, and with them all means, are undefined"
    if output.amin((2, 3)).equal(output.amax((2, 3))):
        return "is a single color"
    return ""
