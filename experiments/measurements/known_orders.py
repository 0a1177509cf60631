r"""Does a metric know anything? Its agreement with orders that are known beforehand.

    python -m experiments.measurements.known_orders datnet_full adain \
        --content PHOTOS --style PAINTINGS --younger OLDER.safetensors --json orders.json

Each photograph is stylized with each painting, and each result is changed in a known way:

* strength: alpha 0, 1/4, 1/2, 3/4 and 1. Style must come nearer and content farther.
* noise: Gaussian, σ 0.05, 0.1 and 0.2 of the range. Both must get worse.
* blur: Gaussian, σ 1, 2 and 4 pixels. Both must get worse.
* training: the same network with random weights, younger (``--younger``) and as given. Style must
  come nearer.

A metric agrees as often as it orders two neighboring steps of one pair right; 50 % is chance. It
fails an order where that is below 75 %, or where its mean over pairs is not in order.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.evaluation.chosen import Chosen, choose_metrics
from datnet.evaluation.controls import identity, style_copy
from datnet.evaluation.machine import describe_machine, sentence_of_machine
from datnet.evaluation.markdown import aligned
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics import Metric
from datnet.images.embedded import sample_images
from datnet.images.finding import find_images
from datnet.images.tensors import read_square
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.vgg import VggEncoder
from datnet.zoo import vgg_encoder
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import build_network, load_network, read_description

METRICS = ("default", "independent", "cfsd_vgg16", "dists")
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0)
NOISES = (0.05, 0.1, 0.2)
BLURS = (1.0, 2.0, 4.0)
LEAST_AGREEMENT = 0.75

OF_STYLE = {
    "style_distance",
    "lightness_difference",
    "style_alex",
    "gram_distance",
    "color_distance",
    "sifid_alex",
}
"""Metrics that compare with the painting; all others compare with the photograph."""

EXPECTED = {
    # order: whether style and content get better from step to step; None for no expectation.
    "strength": (True, False),
    "noise": (False, False),
    "blur": (False, False),
    "training": (True, None),
}


@dataclass(frozen=True)
class Agreement:
    """How a metric orders what has a known order.

    Attributes:
        right: Share of neighboring steps of single pairs in the right order.
        mean_in_order: Whether the mean over pairs is in order.
    """

    right: float
    mean_in_order: bool

    @property
    def fails(self) -> bool:
        """Whether the metric cannot be trusted to see this."""
        return self.right < LEAST_AGREEMENT or not self.mean_in_order


def agreement(metric: Metric, courses: Sequence[Sequence[float]], better: bool) -> Agreement:
    """Compare values with the known order.

    Args:
        metric: The metric.
        courses: Its values along the order, for each pair.
        better: Whether the values must get better from step to step, rather than worse.

    Returns:
        The agreement; equal values are not in the right order.
    """
    sign = 1 if better else -1

    def is_right(first: float, second: float) -> bool:
        change = metric.quality(second) - metric.quality(first)
        return sign * change > 0  # infinite PSNR minus infinite PSNR is NaN, and not in order

    steps = [is_right(*step) for course in courses for step in pairwise(course)]
    means = [fmean(values) for values in zip(*courses, strict=True)]
    if metric.better == "zero":  # the mean of absolute values: signed ones cancel
        means = [fmean(map(abs, values)) for values in zip(*courses, strict=True)]
    return Agreement(fmean(steps), all(is_right(*step) for step in pairwise(means)))


def courses_of(
    network: StyleTransferNetwork,
    others: Sequence[StyleTransferNetwork],
    content: Tensor,
    style: Tensor,
    generator: torch.Generator,
) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield each known order with its pictures for one pair.

    Args:
        network: The network.
        others: The same network untrained, and younger if there is one.
        content: ``(1, 3, S, S)`` in [0, 1].
        style: Likewise.
        generator: Of the noise.

    Yields:
        The name of the order and its pictures, as it goes.
    """
    encoded = network.encode_content(content), network.encode_style(style)
    size = content.shape[2], content.shape[3]
    by_alpha = [network.generate(*encoded, size, alpha=alpha).clamp(0, 1) for alpha in ALPHAS]
    result = by_alpha[-1]
    yield "strength", by_alpha
    noise = torch.randn(result.shape, generator=generator)
    yield "noise", [result, *((result + sigma * noise).clamp(0, 1) for sigma in NOISES)]
    blurred = (gaussian_filter(result.numpy(), (0, 0, sigma, sigma)) for sigma in BLURS)
    yield "blur", [result, *map(torch.from_numpy, blurred)]
    yield "training", [*(other(content, style) for other in others), result]


@torch.no_grad()
def measure(
    networks: dict[str, tuple[StyleTransferNetwork, list[StyleTransferNetwork]]],
    pictures: tuple[list[Path], list[Path]],
    size: int,
    chosen: Chosen,
    seed: int,
) -> tuple[dict[str, dict[str, list[list[float]]]], dict[str, dict[str, float]]]:
    """Measure all courses and the controls.

    Args:
        networks: By title: a network, and the same one untrained and younger.
        pictures: Content and style files.
        size: Side of the squares in pixels.
        chosen: The metrics.
        seed: Of the noise.

    Returns:
        Values along the course of each pair by order and metric; and the mean value of the controls
        by control and metric.
    """
    metrics = Metrics.pretrained(chosen.columns).eval()
    generator = torch.Generator().manual_seed(seed)
    values: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    controls: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    contents, styles = ([read_square(path, size) for path in each] for each in pictures)
    with tqdm(total=len(contents) * len(styles) * len(networks)) as bar:
        for content in contents:
            of_content = metrics.content_target(content, chosen.of_pairs)
            for style in styles:
                of_style = metrics.style_target(style, chosen.of_pairs, embed=False)

                def values_of(picture: Tensor) -> dict[str, float]:
                    return metrics.measure(
                        picture,
                        of_content,  # noqa: B023
                        of_style,  # noqa: B023
                        chosen.of_pairs,
                        embed=False,
                    ).values

                for title, control in (("identity", identity), ("style copy", style_copy)):
                    for key, value in values_of(control(content, style)).items():
                        controls[title][key].append(value)
                for network, others in networks.values():
                    for order, course in courses_of(network, others, content, style, generator):
                        measured = [values_of(picture) for picture in course]
                        for metric in chosen.of_pairs:
                            along = [each[metric.key] for each in measured]
                            values[order][metric.key].append(along)
                    bar.update()
    means = {
        title: {key: fmean(of_key) for key, of_key in of_control.items()}
        for title, of_control in controls.items()
    }
    return {order: dict(of_order) for order, of_order in values.items()}, means


def table(
    values: dict[str, dict[str, list[list[float]]]],
    controls: dict[str, dict[str, float]],
    chosen: Chosen,
) -> str:
    """Return a Markdown table with a row per metric."""
    rows = [["metric", *EXPECTED, "identity", "style copy", "trained on"]]
    for metric in chosen.of_pairs:
        cells = []
        for order, (of_style, of_content) in EXPECTED.items():
            better = of_style if metric.key in OF_STYLE else of_content
            if better is None:
                cells.append("–")
                continue
            found = agreement(metric, values[order][metric.key], better)
            mark = " **fails**" if found.fails else ""
            cells.append(f"{100 * found.right:.0f} %{mark}")
        of_controls = [
            "∞" if math.isinf(value) else f"{value:z.{metric.decimals}f}"
            for value in (controls[title][metric.key] for title in ("identity", "style copy"))
        ]
        side = "painting" if metric.key in OF_STYLE else "photograph"
        title = f"{metric.label} {metric.arrow}, {side}"
        rows.append([title, *cells, *of_controls, "yes" if metric.trained_on else "no"])
    return aligned(rows)


def untrained(path: Path, encoder: VggEncoder, seed: int) -> StyleTransferNetwork:
    """Build a network of a file's class with random weights."""
    torch.manual_seed(seed)
    network = build_network(read_description(path).network, lambda: encoder)
    return network.eval().to(memory_format=torch.channels_last)


def main() -> None:
    """Measure, print the table and write the values if asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("networks", nargs="+", help="names or files")
    parser.add_argument("--younger", type=Path, nargs="*", default=[], help="of the same names")
    parser.add_argument("--content", type=Path, default=sample_images().eval_content)
    parser.add_argument("--style", type=Path, default=sample_images().eval_style)
    parser.add_argument("--contents", type=int, default=4)
    parser.add_argument("--styles", type=int, default=4)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--metrics", nargs="+", default=METRICS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write all values to this file")
    arguments = parser.parse_args()

    chosen = choose_metrics(arguments.metrics)
    younger = {read_description(path).name: path for path in arguments.younger}
    networks = {}
    for name in arguments.networks:
        path = find_network(name)
        title = read_description(path).name
        encoder = vgg_encoder(**read_description(path).encoder)
        network = load_network(path, encoder)
        others = [untrained(path, encoder, arguments.seed)]
        if title in younger:
            others.append(load_network(younger.pop(title), encoder))
        networks[title] = network, others
    if younger:
        raise DatNetError(f"--younger has {', '.join(younger)}, which no network is called")
    pictures = (
        find_images(arguments.content)[: arguments.contents],
        find_images(arguments.style)[: arguments.styles],
    )
    values, controls = measure(networks, pictures, arguments.size, chosen, arguments.seed)
    print(table(values, controls, chosen))
    print(
        f"\n{', '.join(networks)}; {len(pictures[0])} photographs × {len(pictures[1])} paintings "
        f"at {arguments.size} × {arguments.size}; seed {arguments.seed}; "
        f"{sentence_of_machine(describe_machine(torch.device('cpu')))}"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps({"values": values, "controls": controls}))


if __name__ == "__main__":
    main()
