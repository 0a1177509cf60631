"""Ships trained networks with DatNet: 8-bit files with model cards in pretrained/.

    python -m experiments.ship runs/datnet_full/seed_1 runs/adain/seed_1 --photos COCO50
    datnet evaluate pretrained/*.safetensors --content COCO50 --style WIKIART20 -o evaluations/50x20
    python -m experiments.ship --evaluations evaluations/50x20

The first command writes NAME.safetensors in 8 bits, its line in SHA256SUMS and its model card
NAME.md. Parts of the network that change its results most stay in float16; a network whose results
change even so is rejected. How well the network reconstructs photographs (see
experiments.measurements.reconstruction) is recorded in its file. The last command adds the
evaluation to the cards.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from datnet.commands.arguments import Parser, to_path
from datnet.commands.process import run_command
from datnet.errors import DatNetError
from datnet.evaluation.metrics.psnr import peak_signal_to_noise_ratio
from datnet.evaluation.of_network import measured
from datnet.images.embedded import sample_images
from datnet.images.files import write_text
from datnet.images.finding import find_images
from datnet.images.tensors import read_square
from datnet.networks.base import StyleTransferNetwork
from datnet.training.run_folder import RunFolder
from datnet.zoo import shipped
from datnet.zoo.card import NetworkFile, model_card
from datnet.zoo.eight_bits import from_eight_bits, in_eight_bits
from datnet.zoo.network_file import (
    load_network,
    read_description,
    save_tensors,
    without_encoder,
)
from experiments.measurements.reconstruction import Reconstruction, measure

LEAST_PSNR = 45.0
"""Minimum PSNR in dB between results of the stored network and of the original, for each pair."""

SIDES = (128, 256, 512)
"""Sides of the photographs that are reconstructed."""

PAIRS = 4
"""Pairs of the sample set that are compared, at 256 × 256."""


def main() -> None:
    """Ship all runs."""
    parser = Parser(
        "python -m experiments.ship",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="*", type=to_path, help="folders of finished trainings")
    parser.add_argument(
        "--photos",
        type=to_path,
        help="folder of photographs to reconstruct (default: the embedded test photographs)",
    )
    parser.add_argument(
        "--evaluations", type=to_path, help="results of `datnet evaluate` of what was shipped"
    )
    arguments = parser.parse_args()
    try:
        for run in arguments.runs:
            ship(RunFolder(run), arguments.photos or sample_images().eval_content)
        for name in shipped.shipped_names() if arguments.evaluations else []:
            write_card(NetworkFile.read(shipped.shipped_file(name)), arguments.evaluations)
    except DatNetError as error:
        sys.exit(f"error: {error}")


def ship(run: RunFolder, photos: Path) -> None:
    """Write a run's network, its checksum and its model card, without an evaluation.

    Args:
        run: A finished training.
        photos: Folder of photographs to reconstruct.

    Raises:
        DatNetError: If the run is not finished, or its results change although most of it is stored
            in 16 bits.
    """
    if run.finished_steps() is None:
        raise DatNetError(f"{run.path} is not finished")
    network, description = load_network(run.network), read_description(run.network)
    reconstruction = reconstructions(network, photos)
    description = replace(
        description, training={**description.training, "reconstruction": reconstruction}
    )
    tensors, sixteen, psnr = smallest(network, run.network)
    path = shipped.PRETRAINED / f"{description.name}.safetensors"
    save_tensors(tensors, description, path)
    sums = shipped.PRETRAINED / shipped.CHECKSUMS
    listed = shipped.checksums() if sums.exists() else {}
    listed[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    lines = [f"{digest}  {name}\n" for name, digest in sorted(listed.items())]
    write_text(sums, "".join(lines))
    write_text(path.with_suffix(".md"), model_card(NetworkFile.read(path), called=path.stem))
    print(
        f"{path}: {path.stat().st_size / 1e6:.1f} MB, {psnr:.1f} dB from 32 bits; "
        f"in 16 bits: {', '.join(sixteen) or 'nothing'}"
    )


def reconstructions(network: StyleTransferNetwork, photos: Path) -> dict[str, dict[str, float]]:
    """Measure how well a network reconstructs photographs that are their own style.

    Args:
        network: The network.
        photos: Folder of photographs.

    Returns:
        By side of the square pictures: the number of photographs and the mean of each value of
        :class:`~experiments.measurements.reconstruction.Reconstruction`; lightness by its absolute
        value.
    """
    files = find_images(photos)
    found = {}
    for side in SIDES:
        results = measure(network, [read_square(file, side) for file in files])
        values = {
            name: fmean(abs(getattr(one, name)) for one in results)
            for name in Reconstruction._fields
        }
        found[str(side)] = {"photographs": len(files), **values}
    return found


def smallest(
    network: StyleTransferNetwork, source: Path
) -> tuple[dict[str, Tensor], list[str], float]:
    """Store as many parts of a network in 8 bits as its results allow.

    Args:
        network: The network.
        source: Its file, for the error.

    Returns:
        The tensors to store, the parts among them that are in float16, and the PSNR in dB between
        the results of the stored network and of the original.

    Raises:
        DatNetError: If the results change even in 16 bits.
    """
    original = without_encoder(network.state_dict())
    original = {name: tensor.clone() for name, tensor in original.items()}
    expected = pictures(network)
    parts = sorted({name.split(".")[0] for name in original})

    def psnr_with(sixteen: Sequence[str]) -> float:
        stored = in_eight_bits(original, sixteen)
        network.load_state_dict(from_eight_bits(stored), strict=False)
        return min(map(peak_signal_to_noise_ratio, pictures(network), expected))

    sixteen: list[str] = []
    psnr = psnr_with(sixteen)
    if not psnr >= LEAST_PSNR:
        alone = {part: psnr_with([other for other in parts if other != part]) for part in parts}
        for part in sorted(parts, key=alone.__getitem__):
            sixteen.append(part)
            psnr = psnr_with(sixteen)
            if psnr >= LEAST_PSNR:
                break
    if psnr >= LEAST_PSNR:
        return in_eight_bits(original, sixteen), sixteen, psnr
    raise DatNetError(f"16 bits change the results of {source}: {psnr:.1f} dB")


def write_card(file: NetworkFile, evaluations: Path) -> None:
    """Write a shipped network's model card with an evaluation.

    Args:
        file: The network.
        evaluations: Results of `datnet evaluate`.

    Raises:
        DatNetError: If the network was not evaluated.
    """
    table = measured(file, evaluations)
    if table is None:
        raise DatNetError(f"{evaluations} holds no evaluation of {file.path}")
    write_text(file.path.with_suffix(".md"), model_card(file, table, file.path.stem))
    print(f"wrote {file.path.with_suffix('.md')}")


@torch.inference_mode()
def pictures(network: StyleTransferNetwork) -> list[Tensor]:
    """Stylize pairs of the sample set, ``(1, 3, 256, 256)`` in [0, 1] each."""
    sample = sample_images()
    contents, styles = (
        [read_square(file, 256) for file in find_images(folder)[:PAIRS]]
        for folder in (sample.eval_content, sample.eval_style)
    )
    return [network(*pair).clamp(0, 1) for pair in zip(contents, styles, strict=True)]


if __name__ == "__main__":
    run_command(main)
