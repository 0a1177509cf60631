"""Evaluate trained networks, results of other programs and the controls on the same pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from datnet.evaluation.controls import CONTROLS, Stylize
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.pairs import Pair
from datnet.evaluation.protocol import Evaluation, evaluate
from datnet.evaluation.saved_results import SavedResults
from datnet.evaluation.summary import EvaluationSummary
from datnet.networks.base import EncoderDecoderNetwork
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
    metrics: Metrics | None = None,
    device: torch.device | str = "cpu",
) -> list[EvaluationSummary]:
    """Measure the controls, every network, and results of other programs on the same pairs.

    Each has a folder of its own in ``output_dir``, see :func:`results_folder` and
    :func:`saved_results_folder`. What is there already is not computed again.

    Args:
        networks: From the title of a network to its file.
        pairs: Content and style files.
        output_dir: Where the results go.
        results: From the title of another program to the pictures that it made.
        size: Side of the square images.
        save_images: Whether to keep the networks' results as PNG.
        metrics: What measures; by default :meth:`Metrics.pretrained`.
        device: Where to compute.

    Returns:
        Summaries in the order: :data:`~datnet.evaluation.controls.CONTROLS`, the networks, the
        results.

    Raises:
        DatNetError: If a network or an image cannot be read.
    """
    metrics = metrics or Metrics.pretrained()

    def measure(
        title: str, source: Stylize | SavedResults, folder: Path, save_images: bool = False
    ) -> EvaluationSummary:
        evaluation = Evaluation(source, pairs, folder, title, size, save_images)
        return evaluate(evaluation, metrics, device)

    return [
        *(
            measure(title, control, output_dir / title.replace(" ", "_"))
            for title, control in CONTROLS.items()
        ),
        *(
            measure(title, network, results_folder(output_dir, title, path), save_images)
            for title, path, network in _loaded(networks, device)
        ),
        *(
            measure(title, pictures, saved_results_folder(output_dir, title, pictures))
            for title, pictures in (results or {}).items()
        ),
    ]


def _loaded(
    networks: Mapping[str, Path], device: torch.device | str
) -> Iterator[tuple[str, Path, Stylize]]:
    """One network after the other; those with the same encoder share it."""
    encoders: dict[str, VggEncoder] = {}  # by their settings; most networks have the same
    for title, path in networks.items():
        settings = json.dumps(read_description(path).encoder, sort_keys=True)
        network = load_network(path, encoders.get(settings)).to(device)
        if isinstance(network, EncoderDecoderNetwork):
            encoders[settings] = network.encoder
        yield title, path, network


def results_folder(output_dir: Path, title: str, *files: Path) -> Path:
    """Where :func:`evaluate_networks` puts what it measures of a network's file or of pictures.

    It is named by title and the first 8 digits of the SHA-256 of what the files hold, so that
    what was measured of older ones is never taken for theirs.
    """
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return output_dir / f"{title}-{digest.hexdigest()[:8]}"


def saved_results_folder(output_dir: Path, title: str, results: SavedResults) -> Path:
    """Where :func:`evaluate_networks` puts what it measures of another program's pictures."""
    folder = results_folder(output_dir, title, *results.files.values())
    return folder if results.fit == "crop" else folder.with_name(f"{folder.name}-{results.fit}")
