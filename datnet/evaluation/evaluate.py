"""Evaluates trained networks, results of other programs and controls on the same pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from datnet.errors import DatNetError
from datnet.evaluation.chosen import Chosen, all_metrics
from datnet.evaluation.controls import CONTROLS
from datnet.evaluation.finished import NETWORK_FILE
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.named_protocol import ProtocolId
from datnet.evaluation.pairs import Pair
from datnet.evaluation.processes import Processes
from datnet.evaluation.protocol import Measurer, evaluate
from datnet.evaluation.row import Evaluation, ThisProcess
from datnet.evaluation.saved_results import SavedResults
from datnet.evaluation.summary import EvaluationSummary
from datnet.evaluation.targets import Targets
from datnet.images.files import write_text
from datnet.networks.base import EncoderDecoderNetwork, StyleTransferNetwork
from datnet.networks.vgg import VggEncoder
from datnet.zoo.network_file import load_network, read_description


def evaluate_networks(
    networks: Mapping[str, Path],
    pairs: Sequence[Pair],
    output_dir: Path,
    *,
    results: Mapping[str, SavedResults] | None = None,
    size: int = 512,
    save_images: bool = False,
    protocol: ProtocolId | None = None,
    metrics: Metrics | None = None,
    chosen: Chosen | None = None,
    device: torch.device | str = "cpu",
    jobs: int = 1,
    on_row: Callable[[EvaluationSummary], None] | None = None,
) -> list[EvaluationSummary]:
    """Measure the controls, all networks and results of other programs on the same pairs.

    Each has its own folder in ``output_dir``, see :func:`results_folder` and
    :func:`saved_results_folder`. Existing results are not computed again. What is computed from a
    picture alone is computed once for all rows, as far as memory allows.

    Args:
        networks: Files of networks by title.
        pairs: Content and style files.
        output_dir: Where the results go.
        results: Results of other programs by title.
        size: Side of the square images in pixels.
        save_images: Whether to keep the networks' results as PNG.
        protocol: The protocol that names pairs and size, for the summaries.
        metrics: The metrics; by default :meth:`Metrics.pretrained`.
        chosen: What to measure; by default all metrics.
        device: Where to compute.
        jobs: Number of processes, each with as many threads as this one; the values do not depend
            on it.
        on_row: Called with each summary as soon as it is there.

    Returns:
        Summaries of :data:`~datnet.evaluation.controls.CONTROLS`, the networks and the results, in
        this order.

    Raises:
        DatNetError: If a network or an image cannot be read, or several processes are wanted on a
            GPU.
    """
    chosen = chosen or all_metrics()
    if jobs > 1 and torch.device(device).type != "cpu":
        raise DatNetError(f"{jobs} jobs on {device}: several processes are for the CPU only")
    metrics = (metrics or Metrics.pretrained(chosen.columns)).eval().to(device)

    def evaluations() -> Iterator[Evaluation]:
        for title, control in CONTROLS.items():
            folder = output_dir / title.replace(" ", "_")
            yield Evaluation(control, pairs, folder, title, size, protocol=protocol)
        for title, path, network in _loaded(networks, device):
            folder = results_folder(output_dir, title, path)
            write_text(folder / NETWORK_FILE, json.dumps(facts_of(path), indent=2) + "\n")
            yield Evaluation(network, pairs, folder, title, size, save_images, protocol)
        for title, pictures in (results or {}).items():
            folder = saved_results_folder(output_dir, title, pictures)
            yield Evaluation(pictures, pairs, folder, title, size, protocol=protocol)

    summaries = []
    with ExitStack() as stack:
        measurer: Measurer = (
            stack.enter_context(Processes(jobs, metrics, size))
            if jobs > 1
            else ThisProcess(Targets(metrics, size, device))
        )
        for evaluation in evaluations():
            summary = evaluate(evaluation, metrics, device, chosen=chosen, measurer=measurer)
            summaries.append(summary)
            if on_row is not None:
                on_row(summary)
    return summaries


def facts_of(path: Path) -> dict[str, Any]:
    """Return a network file's name, SHA-256 and header, for network.json."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"file": path.name, "sha256": digest, **asdict(read_description(path))}


def _loaded(
    networks: Mapping[str, Path], device: torch.device | str
) -> Iterator[tuple[str, Path, StyleTransferNetwork]]:
    """Yield one network after the other; networks with the same encoder share it."""
    encoders: dict[str, VggEncoder] = {}  # by their settings
    for title, path in networks.items():
        settings = json.dumps(read_description(path).encoder, sort_keys=True)
        network = load_network(path, encoders.get(settings)).to(device)
        if isinstance(network, EncoderDecoderNetwork):
            encoders[settings] = network.encoder
        yield title, path, network


def results_folder(output_dir: Path, title: str, *files: Path) -> Path:
    """Folder of :func:`evaluate_networks` for a network's file or for pictures.

    Its name has the title and the first 8 digits of the SHA-256 of the contents of the files, so
    that results of older files are never mistaken for theirs.

    Args:
        output_dir: Where the results go.
        title: Title of the network or program.
        files: The network's file, or the pictures.

    Returns:
        ``output_dir/TITLE-DIGEST``.
    """
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return output_dir / f"{title}-{digest.hexdigest()[:8]}"


def saved_results_folder(output_dir: Path, title: str, results: SavedResults) -> Path:
    """Folder of :func:`evaluate_networks` for another program's results.

    Args:
        output_dir: Where the results go.
        title: Title of the program.
        results: Its pictures.

    Returns:
        See :func:`results_folder`; the name ends with the fit unless that is "crop".
    """
    folder = results_folder(output_dir, title, *results.files.values())
    return folder if results.fit == "crop" else folder.with_name(f"{folder.name}-{results.fit}")
