r"""Error of attention to a sample of the style's positions, as used for very large images.

    python -m experiments.measurements.style_positions --network NETWORK --content FOLDER \
        --style FOLDER

Above a number of query–key pairs (`datnet.networks.attention.MOST_COMPARISONS`) DatNet compares
each content position with a regular sample of the style's positions. Here that limit is lowered so
that ordinary images are sampled at the same rates as larger ones. The result is compared with the
exact one: PSNR in dB over all pairs of images.
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
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network

SHARES = (2, 4, 16, 64)
"""Sampling rates: one of N style positions is used at relu3_1."""


def side_with_share(share: int) -> int:
    """Return the side of square images for which attention has this sampling rate."""
    return round(4 * (share * attention.MOST_COMPARISONS) ** 0.25)


@torch.inference_mode()
def main() -> None:
    """Stylize all pairs at each sampling rate, compare and print."""
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
    network = load_network(find_network(arguments.network)).eval()
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
