"""Evaluate trained networks, results of other programs and the controls on the same pairs."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from datnet.errors import DatNetError
from datnet.evaluation.metrics import Metrics
from datnet.evaluation.protocol import CONTROLS, Pair, evaluate
from datnet.evaluation.summary import Summary
from datnet.images.finding import find_images
from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.vgg import VggEncoder
from datnet.zoo.network_file import load_network, read_description


def evaluate_networks(
    networks: Mapping[str, Path],
    pairs: Sequence[Pair],
    output_dir: Path,
    *,
    results: Mapping[str, Mapping[Pair, Path]] | None = None,
    size: int = 512,
    save_images: bool = False,
    device: torch.device | str = "cpu",
) -> list[Summary]:
    """Measure the controls, every network, and results of other programs on the same pairs.

    Each has a folder of its own in ``output_dir``, see :func:`results_folder`. What is there
    already is not computed again.

    Args:
        networks: From the title of a network to its file.
        pairs: Content and style files.
        output_dir: Where the results go.
        results: From the title of another program to the pictures that it painted.
        size: Side of the square images.
        save_images: Whether to keep the networks' results as PNG.
        device: Where to compute.

    Returns:
        Summaries in the order: :data:`~datnet.evaluation.protocol.CONTROLS`, the networks, the
        results.

    Raises:
        DatNetError: If a network or an image cannot be read.
    """
    metrics = Metrics.pretrained()
    summaries = [
        evaluate(
            control,
            pairs,
            output_dir / title.replace(" ", "_"),
            metrics=metrics,
            description=title,
            size=size,
            device=device,
        )
        for title, control in CONTROLS.items()
    ]
    encoders: dict[str, VggEncoder] = {}  # by their settings; most networks have the same
    for title, path in networks.items():
        settings = json.dumps(read_description(path).encoder, sort_keys=True)
        network = load_network(path, encoders.get(settings)).to(device)
        if isinstance(network, EncoderDecoderNetwork):
            encoders[settings] = network.encoder
        summaries.append(
            evaluate(
                network,
                pairs,
                results_folder(output_dir, title, path),
                metrics=metrics,
                description=title,
                size=size,
                save_images=save_images,
                device=device,
            )
        )
    summaries += [
        evaluate(
            pictures,
            pairs,
            results_folder(output_dir, title, *pictures.values()),
            metrics=metrics,
            description=title,
            size=size,
            device=device,
        )
        for title, pictures in (results or {}).items()
    ]
    return summaries


def results_folder(output_dir: Path, title: str, *files: Path) -> Path:
    """Where :func:`evaluate_networks` puts what it measures of a network's file or of pictures.

    It is named by title and the first 8 digits of the SHA-256 of what the files hold, so that
    what was measured of older ones is never taken for theirs.
    """
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return output_dir / f"{title}-{digest.hexdigest()[:8]}"


def read_pairs(path: Path, content_dir: Path, style_dir: Path) -> list[Pair]:
    """Read a list of pairs, such as the pairs.csv that every evaluation writes.

    Args:
        path: CSV with the columns content and style: file names in the two folders or their
            subfolders, with as many parent folders as it takes to tell them apart.
        content_dir: Folder of the content images.
        style_dir: Folder of the style images.

    Raises:
        DatNetError: If the file cannot be read or lacks a column, or a name fits no image or
            several.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            names = [(row["content"], row["style"]) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatNetError(f"{path} cannot be read: {error}") from error
    except KeyError as error:
        raise DatNetError(f"{path} must have the columns content and style") from error
    contents, styles = find_images(content_dir), find_images(style_dir)
    return [
        (_image_called(content, contents, path), _image_called(style, styles, path))
        for content, style in names
    ]


def _image_called(name: str, images: Sequence[Path], pairs: Path) -> Path:
    wanted = Path(name or "").parts
    found = [image for image in images if image.parts[-len(wanted) :] == wanted] if wanted else []
    if len(found) != 1:
        raise DatNetError(f"{pairs}: {len(found)} images are called {name!r}; it must be one")
    return found[0]
