r"""What it costs that attention sees a sample of the style's positions in very large pictures.

    python -m experiments.measurements.style_positions --network NETWORK --content FOLDER \
        --style FOLDER

Beyond a number of pairs of positions (`datnet.networks.attention.MOST_COMPARISONS`) DatNet compares
every content position with an even sample of the style's. Here that number is made so small that
ordinary pictures need the sample too, in the shares that larger pictures have, and the result is
compared with the exact one: PSNR in dB over all pairs of the pictures.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from statistics import fmean

import torch
from tqdm import tqdm

from datnet.errors import DatNetWarning
from datnet.evaluation.markdown import aligned
from datnet.evaluation.metrics.psnr import peak_signal_to_noise_ratio
from datnet.images.finding import find_images
from datnet.images.tensors import read_square
from datnet.networks import attention
from datnet.zoo.lookup import network_file
from datnet.zoo.network_file import load_network

SHARES = (2, 4, 16, 64)
"""One of so many style positions is seen at relu3_1."""


def side_with_share(share: int) -> int:
    """Side of square pictures of which attention sees that share of positions."""
    return round(4 * (share * attention.MOST_COMPARISONS) ** 0.25)


@torch.inference_mode()
def main() -> None:
    """Paint all pairs with every share, compare, print."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.style_positions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--network", type=Path, required=True, help="a trained DatNet or a checkpoint"
    )
    parser.add_argument("--content", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--style", type=Path, required=True, help="folder of paintings")
    parser.add_argument("--pictures", type=int, default=4, help="of each folder (default: 4)")
    parser.add_argument("--size", type=int, default=512, help="side (default: 512)")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", DatNetWarning)
    network = load_network(network_file(arguments.network)).eval()
    contents, styles = (
        [read_square(path, arguments.size) for path in find_images(folder)[: arguments.pictures]]
        for folder in (arguments.content, arguments.style)
    )
    sides = {share: side_with_share(share) for share in SHARES}
    all_comparisons = (arguments.size // 4) ** 4
    ratios: dict[int, list[float]] = {share: [] for share in SHARES}
    seconds: dict[int, list[float]] = {share: [] for share in SHARES}
    pairs = [(content, style) for content in contents for style in styles]
    for content, style in tqdm(pairs, unit="pair"):
        attention.MOST_COMPARISONS = all_comparisons
        started = time.perf_counter()
        exact = network(content, style)
        exact_seconds = time.perf_counter() - started
        for share in SHARES:
            attention.MOST_COMPARISONS = all_comparisons // share
            started = time.perf_counter()
            sampled = network(content, style)
            seconds[share].append((time.perf_counter() - started) / exact_seconds)
            ratios[share].append(peak_signal_to_noise_ratio(sampled, exact))
    rows = [["positions seen", "as in pictures of", "PSNR (dB)", "worst pair", "time : exact"]]
    for share in SHARES:
        rows.append(
            [
                f"1 : {share}",
                f"{sides[share]}²",
                f"{fmean(ratios[share]):.1f}",
                f"{min(ratios[share]):.1f}",
                f"{fmean(seconds[share]):.2f}",
            ]
        )
    print(f"{len(pairs)} pairs at {arguments.size}²\n\n{aligned(rows)}")


if __name__ == "__main__":
    main()
