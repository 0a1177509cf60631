"""Reconstruction of photographs by networks, with each photograph as its own style.

    python -m experiments.measurements.reconstruction NETWORK... [--photos DIR] [--sizes 256 512]

A decoder that inverts its encoder has a contrast ratio of 1 (standard deviation of the result's
luminance over that of the photograph's), a luminance difference of 0 (result minus photograph,
mean over the picture), an SSIM of 1 and a correlation of tones of 1 (luminance averaged over
32 × 32 pixels). Results are rounded to 8 bits, as in the protocol. Luminance is .299 R + .587 G +
.114 B of sRGB values, 0 to 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.image import structural_similarity_index_measure
from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.evaluation.markdown import aligned
from datnet.images.embedded import sample_images
from datnet.images.finding import find_images
from datnet.images.tensors import read_square
from datnet.networks.base import StyleTransferNetwork
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network

LUMINANCE = (0.299, 0.587, 0.114)
TONE_SIDE = 32


class Reconstruction(NamedTuple):
    """Differences between a result and its photograph.

    Attributes:
        contrast: Standard deviation of the result's luminance over that of the photograph's.
        lightness: Mean luminance of the result minus that of the photograph.
        ssim: Structural similarity, 11 × 11 Gaussian of 1.5, RGB.
        tones: Correlation of luminance averaged over 32 × 32 pixels; 0 if one is constant.
    """

    contrast: float
    lightness: float
    ssim: float
    tones: float


def luminance(images: Tensor) -> Tensor:
    """Return the luminance ``(B, 1, H, W)`` of images ``(B, 3, H, W)``."""
    return (images * images.new_tensor(LUMINANCE)[:, None, None]).sum(dim=1, keepdim=True)


def compare(result: Tensor, photograph: Tensor) -> Reconstruction:
    """Compare a result with its photograph.

    Args:
        result: ``(1, 3, H, W)`` in [0, 1], sides of at least 64 pixels.
        photograph: The same shape and range.

    Returns:
        The differences.
    """
    result = (result * 255).round() / 255
    here, there = luminance(result), luminance(photograph)
    tones = torch.stack([F.avg_pool2d(picture, TONE_SIDE).flatten() for picture in (here, there)])
    correlation = torch.corrcoef(tones)[0, 1].nan_to_num(0.0)
    ssim = structural_similarity_index_measure(result, photograph, sigma=1.5, data_range=1.0)
    assert isinstance(ssim, Tensor)
    return Reconstruction(
        contrast=(here.std() / there.std()).item(),
        lightness=(here.mean() - there.mean()).item(),
        ssim=ssim.item(),
        tones=correlation.item(),
    )


@torch.inference_mode()
def measure(network: StyleTransferNetwork, photographs: Sequence[Tensor]) -> list[Reconstruction]:
    """Reconstruct photographs one after the other.

    Args:
        network: The network.
        photographs: ``(1, 3, H, W)`` in [0, 1] each.

    Returns:
        The differences of each.
    """
    return [compare(network(photograph, photograph), photograph) for photograph in photographs]


def row(measured: Sequence[Reconstruction]) -> list[str]:
    """Return the mean and worst of each value; lightness is averaged by absolute value."""
    contrast, lightness, ssim, tones = zip(*measured, strict=True)
    return [
        f"{fmean(contrast):.3f}",
        f"{max(contrast, key=lambda ratio: abs(ratio - 1)):.3f}",
        f"{fmean(map(abs, lightness)):.3f}",
        f"{max(lightness, key=abs):+.3f}",
        *(f"{number:.3f}" for values in (ssim, tones) for number in (fmean(values), min(values))),
    ]


HEADER = [
    *("network", "size", "contrast", "worst", "\\|lightness\\|", "worst"),
    *("SSIM", "worst", "tones", "worst"),
]


def main() -> None:
    """Measure all networks at all sizes and print a table."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.reconstruction",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("networks", nargs="+", metavar="NETWORK", help="files, runs or names")
    parser.add_argument(
        "--photos", type=Path, help="folder of photographs (default: the embedded test photographs)"
    )
    parser.add_argument("--number", type=int, help="photographs of the folder (default: all)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512], help="sides")
    arguments = parser.parse_args()
    if min(arguments.sizes) < 2 * TONE_SIDE:
        parser.error(f"sizes must be at least {2 * TONE_SIDE}")
    try:
        files = find_images(arguments.photos or sample_images().eval_content)[: arguments.number]
        networks = {name: load_network(find_network(name)) for name in arguments.networks}
        rows = [HEADER]
        for size in arguments.sizes:
            photographs = [read_square(file, size) for file in files]
            for name, network in tqdm(networks.items(), desc=f"{size}²", unit="network"):
                rows.append([Path(name).stem, f"{size}²", *row(measure(network, photographs))])
    except DatNetError as error:
        parser.exit(1, f"error: {error}\n")
    print(f"{len(files)} photographs, each as its own style; mean and worst\n\n{aligned(rows)}")


if __name__ == "__main__":
    main()
