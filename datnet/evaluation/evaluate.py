"""Evaluates trained networks, results of other programs and controls on the same pairs."""

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
    """Measure the controls, all networks and results of other programs on the same pairs.

    Each has its own folder in ``output_dir``, see :func:`results_folder` and
    :func:`saved_results_folder`. Existing results are not computed again.

    Args:
        networks: Files of networks by title.
        pairs: Content and style files.
        output_dir: Where the results go.
        results: Results of other programs by title.
        size: Side of the square images in pixels.
        save_images: Whether to keep the networks' results as PNG.
        metrics: The metrics; by default :meth:`Metrics.pretrained`.
        device: Where to compute.

    Returns:
        Summaries of :data:`~datnet.evaluation.controls.CONTROLS`, the networks and the results, in
        this order.

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
