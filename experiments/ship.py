"""Ships trained networks with DatNet: 16-bit files with model cards in pretrained/.

    python -m experiments.ship runs/datnet_full/seed_1 runs/adain/seed_1
    datnet evaluate pretrained/*.safetensors --content COCO50 --style WIKIART20 -o evaluations/50x20
    python -m experiments.ship --evaluations evaluations/50x20

The first command writes NAME.safetensors in float16, its line in SHA256SUMS and its model card
NAME.md. It rejects a network whose results change in float16. The last command adds the evaluation
to the cards.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import torch

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
from datnet.zoo.network_file import load_network, read_description, save_tensors

LEAST_PSNR = 40
"""Minimum PSNR in dB between results of the 16-bit network and of the original."""


def main() -> None:
    """Ship all runs."""
    parser = Parser(
        "python -m experiments.ship",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="*", type=to_path, help="folders of finished trainings")
    parser.add_argument(
        "--evaluations", type=to_path, help="results of `datnet evaluate` of what was shipped"
    )
    arguments = parser.parse_args()
    try:
        for run in arguments.runs:
            ship(RunFolder(run))
        for name in shipped.shipped_names() if arguments.evaluations else []:
            write_card(NetworkFile.read(shipped.shipped_file(name)), arguments.evaluations)
    except DatNetError as error:
        sys.exit(f"error: {error}")


def ship(run: RunFolder) -> None:
    """Write a run's network, its checksum and its model card, without an evaluation.

    Raises:
        DatNetError: If the run is not finished, or its results change in 16 bits.
    """
    if run.finished_steps() is None:
        raise DatNetError(f"{run.path} is not finished")
    network, description = load_network(run.network), read_description(run.network)
    tensors = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    path = shipped.PRETRAINED / f"{description.name}.safetensors"
    candidate = path.with_suffix(".candidate")
    save_tensors(tensors, description, candidate)
    psnr = psnr_of_pictures(network, load_network(candidate, getattr(network, "encoder", None)))
    if psnr < LEAST_PSNR:
        candidate.unlink()
        raise DatNetError(f"16 bits change the results of {run.network}: {psnr:.1f} dB")
    candidate.replace(path)
    sums = shipped.PRETRAINED / shipped.CHECKSUMS
    listed = shipped.checksums() if sums.exists() else {}
    listed[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    lines = [f"{digest}  {name}\n" for name, digest in sorted(listed.items())]
    write_text(sums, "".join(lines))
    write_text(path.with_suffix(".md"), model_card(NetworkFile.read(path), called=path.stem))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, {psnr:.1f} dB from 32 bits")


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
def psnr_of_pictures(one: StyleTransferNetwork, other: StyleTransferNetwork) -> float:
    """Compare the results of two networks on a pair of the sample set.

    Args:
        one: A network.
        other: Another network.

    Returns:
        PSNR in dB.
    """
    sample = sample_images()
    content = read_square(find_images(sample.eval_content)[0], 256)
    style = read_square(find_images(sample.eval_style)[0], 256)
    first, second = (network(content, style).clamp(0, 1) for network in (one, other))
    return peak_signal_to_noise_ratio(first, second)


if __name__ == "__main__":
    run_command(main)
