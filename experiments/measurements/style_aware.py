r"""What the style-aware normalized loss changes: how evenly paintings are transferred.

    python -m experiments.measurements.style_aware adain sanet --photos PHOTOS \
        --paintings PAINTINGS --test-photos PHOTOS --test-paintings PAINTINGS --steps 500

The training of each network continues from its file for STEPS steps, with the usual style loss and
with the style-aware one, on the same pairs. The weight of the style-aware loss is scaled so that
both losses are equal on the first pairs. Then pairs of other pictures are measured: style distance
and SSIM, means over the pairs, and the spread of the style distance over the paintings: standard
deviation, lowest and highest of the paintings' means, and the coefficient of variation, the
standard deviation relative to the mean.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import torch
from torch import Tensor

from datnet.data.pairs import PairDataset, collate
from datnet.data.sets import open_images
from datnet.evaluation.markdown import aligned
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics.features import ENCODER
from datnet.evaluation.metrics.ssim import Ssim
from datnet.evaluation.metrics.style_distance import StyleDistance
from datnet.images.finding import find_images
from datnet.images.tensors import read_square
from datnet.networks.base import StyleTransferNetwork
from datnet.objectives.base import Objective
from datnet.training.tuning import SPARE, Settings, optimize
from datnet.zoo.configs import model_config
from datnet.zoo.instantiate import build
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network

MEASURED = [StyleDistance(), Ssim()]
FIRST_PAIRS = 8


@dataclass(frozen=True)
class Measured:
    """Style distance of each painting, mean over the photographs, and SSIM, mean over the pairs."""

    distances: list[float]
    ssim: float

    def cells(self) -> list[str]:
        """Mean, standard deviation, coefficient of variation, lowest, highest and SSIM."""
        mean, deviation = fmean(self.distances), stdev(self.distances)
        spread = (mean, deviation, deviation / mean, min(self.distances), max(self.distances))
        return [*(f"{value:.2f}" for value in spread), f"{self.ssim:.3f}"]


@torch.inference_mode()
def measure(
    network: StyleTransferNetwork,
    contents: Sequence[Tensor],
    styles: Sequence[Tensor],
    metrics: Metrics,
) -> Measured:
    """Stylize and measure all pairs."""
    of_contents = [metrics.content_target(content, MEASURED) for content in contents]
    encoded = [network.encode_content(content) for content in contents]
    distances, ssim = [], []
    for style in styles:
        target = metrics.style_target(style, MEASURED, embed=False)
        features, values = network.encode_style(style), []
        for content, maps, of_content in zip(contents, encoded, of_contents, strict=True):
            result = network.generate(maps, features, content.shape[2:])
            values.append(metrics.measure(result, of_content, target, MEASURED, embed=False))
        distances.append(fmean(each.values["style_distance"] for each in values))
        ssim.append(fmean(each.values["ssim"] for each in values))
    return Measured(distances, fmean(ssim))


def objective_of(name: str, aware: bool, weight: float | None = None) -> Objective[Any]:
    """The objective of conf/model/NAME.yaml with either style loss."""
    model = model_config(name)
    assert model is not None
    node = {**model["objective"], "style_aware": aware}
    if weight is not None:
        node["global_style"] = weight
    return build(node)


@torch.no_grad()
def equal_weight(name: str, network: StyleTransferNetwork, pairs: PairDataset) -> float:
    """Weight of the style-aware loss that makes both losses equal on the first pairs."""
    batch = collate([pairs[number] for number in range(FIRST_PAIRS)])
    usual, aware = (objective_of(name, chosen) for chosen in (False, True))
    losses = [
        each.terms(network, batch.content, batch.style)["global_style"].item()
        for each in (usual, aware)
    ]
    return usual.weights["global_style"] * losses[0] / losses[1]


def main() -> None:
    """Train each network on with both losses, measure and print."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.style_aware",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("networks", nargs="+", choices=["adain", "sanet"])
    for name in ("photos", "paintings", "test-photos", "test-paintings"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--crops", type=int, default=128)
    parser.add_argument("--pictures", type=int, default=10, help="of each kind (default: 10)")
    parser.add_argument("--size", type=int, default=256)
    arguments = parser.parse_args()
    metrics = Metrics({name: make() for name, make in ENCODER.items()})
    contents, styles = (
        [read_square(path, arguments.size) for path in find_images(folder)[: arguments.pictures]]
        for folder in (arguments.test_photos, arguments.test_paintings)
    )
    pairs = PairDataset(
        open_images(arguments.photos),
        open_images(arguments.paintings),
        short_side=round(SPARE * arguments.crops),
        crop_size=arguments.crops,
        horizontal_flip=False,
        seed=1,
    )
    rows = [["network", "style loss", "weight", "style distance", "deviation", "variation"]]
    rows[0] += ["lowest", "highest", "SSIM"]
    for name in arguments.networks:
        for aware in (None, False, True):
            network = load_network(find_network(name))
            weight = None
            if aware is not None:
                weight = equal_weight(name, network, pairs) if aware else None
                objective = objective_of(name, aware, weight)
                model = model_config(name)
                assert model is not None
                settings = Settings(steps=arguments.steps, minutes=1e6)
                steps = optimize(
                    network, objective, pairs, model["recipe"], settings, time.process_time
                )
                for _ in steps:
                    pass
            values = measure(network.eval(), contents, styles, metrics)
            title = {None: "as shipped", False: "usual", True: "style-aware"}[aware]
            shown = "" if weight is None else f"{weight:.1f}"
            rows.append([name, title, shown, *values.cells()])
            print(" | ".join(rows[-1]), flush=True)
    print(
        f"\n{len(contents)} × {len(styles)} pairs at {arguments.size}², after "
        f"{arguments.steps} steps of 2 crops of {arguments.crops}²\n\n{aligned(rows)}"
    )


if __name__ == "__main__":
    main()
