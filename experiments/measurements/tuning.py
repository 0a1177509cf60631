r"""What `datnet tune` gains on paintings, for several beginnings and the same processor time.

    python -m experiments.measurements.tuning PAINTING ... --photos FOLDER --seconds 40

Each beginning is tuned to each painting for SECONDS of processor time (not elapsed time, so
that other programs on the machine do not matter), with the photographs that come with DatNet. Then
photographs that no network has seen are stylized: style distance and SSIM before (the network as it
ships; none for `johnson`, which begins from scratch) and after, means over the photographs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor
from torchvision.utils import make_grid

from datnet.evaluation.markdown import aligned
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics.features import ENCODER
from datnet.evaluation.metrics.ssim import Ssim
from datnet.evaluation.metrics.style_distance import StyleDistance
from datnet.images.finding import find_images
from datnet.images.saving import save_image
from datnet.images.tensors import read_square, to_image
from datnet.networks.base import StyleTransferNetwork
from datnet.training.tuning import Settings, tune
from datnet.training.tuning_beginning import FROM_SCRATCH
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network, read_description

MEASURED = [StyleDistance(), Ssim()]


def measured(
    network: StyleTransferNetwork, contents: Sequence[Tensor], style: Tensor, metrics: Metrics
) -> tuple[float, float, list[Tensor]]:
    """Style distance and SSIM, means over the contents, and the results."""
    results, values = [], []
    target = metrics.style_target(style, MEASURED, embed=False)
    with torch.inference_mode():
        for content in contents:
            result = network(content, style)
            of_content = metrics.content_target(content, MEASURED)
            values.append(metrics.measure(result, of_content, target, MEASURED, embed=False).values)
            results.append(result)
    return *(fmean(each[metric.key] for each in values) for metric in MEASURED), results  # type: ignore[return-value]


def main() -> None:
    """Tune, measure and print."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.tuning",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paintings", type=Path, nargs="+")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--pictures", type=int, default=4, help="photographs (default: 4)")
    parser.add_argument("--begin", nargs="+", default=["adain", "datnet_full", FROM_SCRATCH])
    parser.add_argument("--seconds", type=float, default=40, help="processor time of each tuning")
    parser.add_argument("--crops", type=int, default=128, help="side of the crops (default: 128)")
    parser.add_argument("--size", type=int, default=256, help="side of the results (default: 256)")
    parser.add_argument("-o", "--output", type=Path, default=Path("tuning"), help="folder")
    arguments = parser.parse_args()
    metrics = Metrics({name: make() for name, make in ENCODER.items()})
    photos = find_images(arguments.photos)[: arguments.pictures]
    contents = [read_square(path, arguments.size) for path in photos]
    rows = [["begins from", "painting", "steps", "style distance", "", "SSIM", ""]]
    rows.append(["", "", "", "before", "after", "before", "after"])
    for begin, painting in product(arguments.begin, arguments.paintings):
        path = arguments.output / f"{begin}-{painting.stem}.safetensors"
        minutes = arguments.seconds / 60
        settings = Settings(begin, minutes=minutes, size=arguments.crops, device="cpu")
        tune([painting], path, settings, clock=time.process_time)
        steps = read_description(path).training["steps"]
        style = read_square(painting, arguments.size)
        *after, results = measured(load_network(path), contents, style, metrics)
        before: list[float] = []
        panel = [*contents, *results]
        if begin != FROM_SCRATCH:
            shipped = load_network(find_network(begin))
            *before, first = measured(shipped, contents, style, metrics)
            panel[len(contents) : len(contents)] = first
        save_image(
            to_image(make_grid(torch.cat([*panel, style]), nrow=len(contents))),
            path.with_suffix(".png"),
        )
        (near, seen), (nearer, seen_after) = (
            [f"{each:.2f}" for each in values] or ["–", "–"] for values in (before, after)
        )
        rows.append([begin, painting.name, str(steps), near, nearer, seen, seen_after])
        print(" | ".join(rows[-1]), flush=True)
    print(f"\n{aligned(rows)}")


if __name__ == "__main__":
    main()
