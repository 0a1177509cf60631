"""Processor time of the parts of an evaluation, and what tables save by computing parts once.

    python -m experiments.measurements.evaluation_cost --network datnet_full --size 512

`apart` is the way of before: LPIPS (VGG) and the encoder in a pass each, their maps not channels
last, and everything for each pair and each row. The seconds of the parts are measured, in turns;
those of whole tables are sums of them.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

from datnet.commands.process import run_command
from datnet.evaluation.controls import CONTROLS
from datnet.evaluation.markdown import aligned
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics import shared_vgg
from datnet.images.embedded import sample_images
from datnet.images.finding import find_images
from datnet.images.tensors import read_square
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network

TABLES = (("4 × 5, 4 networks, controls", 4, 5, 4, 3), ("50 × 20, 1 network", 50, 20, 1, 0))
"""Title, contents, styles, networks and controls."""


@torch.no_grad()
def measure(network_name: str, size: int, rounds: int) -> dict[str, float]:
    """Return median processor seconds of each part."""
    network = load_network(find_network(network_name))
    together = Metrics.pretrained()
    apart = copy.deepcopy(together).to(memory_format=torch.contiguous_format)
    content, style = (
        read_square(find_images(folder)[0], size)
        for folder in (sample_images().eval_content, sample_images().eval_style)
    )
    seconds: dict[str, list[float]] = {}

    def timed(part: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        seconds.setdefault(part, []).append(time.process_time() - start)
        return result

    for _ in range(rounds):
        of_content = timed("encode content", lambda: network.encode_content(content))
        of_style = timed("encode style", lambda: network.encode_style(style))
        result = timed(
            "generate",
            lambda a=of_content, b=of_style: network.generate(a, b, (size, size)).clamp(0, 1),
        )
        for way, metrics in (("apart", apart), ("together", together)):
            with patch.object(
                shared_vgg, "fits", (lambda images: False) if way == "apart" else shared_vgg.fits
            ):
                picture, painting = metrics.picture(content), metrics.picture(style)
                targets = (
                    timed(f"{way}: content", lambda m=metrics, p=picture: m.content_target(p)),
                    timed(f"{way}: style", lambda m=metrics, p=painting: m.style_target(p)),
                )
                timed(f"{way}: result", lambda m=metrics, r=result, t=targets: m.measure(r, *t))
            known = [picture, painting]
            if way == "together":
                timed(
                    "together: identity",
                    lambda m=metrics, t=targets, k=known: m.measure(content, *t, known=k),
                )
    return {part: median(values) for part, values in seconds.items()}


def of_tables(part: dict[str, float]) -> list[list[str]]:
    """Return rows with the seconds of whole tables before and now, as sums of parts."""
    rows = [["table", "before (s)", "now (s)", "now : before"]]
    for title, contents, styles, networks, controls in TABLES:
        pairs = contents * styles
        targets = contents * part["apart: content"] + styles * part["apart: style"]
        encode = part["encode content"] + part["encode style"]
        before = (networks + controls) * (targets + pairs * part["apart: result"])
        before += networks * pairs * (encode + part["generate"])
        now = contents * part["together: content"] + styles * part["together: style"]
        # identity, style copy (whose pictures need LPIPS features) and histogram match
        now += min(controls, 2) * pairs * part["together: identity"]
        now += bool(controls) * (styles + pairs) * part["together: result"]
        now += networks * pairs * (part["generate"] + part["together: result"])
        now += networks * (contents * part["encode content"] + styles * part["encode style"])
        rows.append([title, f"{before:.0f}", f"{now:.0f}", f"{now / before:.2f}"])
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="datnet_full")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    assert len(CONTROLS) == TABLES[0][4]
    parts = measure(arguments.network, arguments.size, arguments.rounds)
    print(aligned([["part", "s"], *([name, f"{value:.2f}"] for name, value in parts.items())]))
    print(aligned(of_tables(parts)))


if __name__ == "__main__":
    run_command(main)
