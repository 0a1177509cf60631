r"""Fast attention against exact attention: how alike the pictures are, and what attention costs.

    python -m experiments.measurements.fast_attention --content FOLDER --style FOLDER
    python -m experiments.measurements.fast_attention --content FOLDER --style FOLDER \
        --shares 0.0625 0.03125 --ranks 48 --pairs 20 --size 512

Each pair is encoded once; exact attention and each setting of fast attention take turns at all
levels of the network. SSIM with the photograph and style distance to the painting are those of the
results with fast attention minus those with exact attention. Time is that of the processor, since
other work on a machine changes it less than elapsed time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, cast
from unittest import mock

import torch
from torch import Tensor
from tqdm import tqdm

from datnet.evaluation.machine import describe_machine, sentence_of_machine
from datnet.evaluation.markdown import aligned
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.metrics.psnr import peak_signal_to_noise_ratio
from datnet.evaluation.metrics.ssim import Ssim
from datnet.evaluation.metrics.style_distance import StyleDistance
from datnet.images.files import write_text
from datnet.images.finding import find_images
from datnet.images.tensors import read_square
from datnet.networks import attention, sanet
from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.ops import fast_attention
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network

Setting = tuple[float, int]
"""Share of the keys and rank of the scores."""

MEASURED = [Ssim(), StyleDistance()]


def timed_transfer(
    network: EncoderDecoderNetwork, content: list[Tensor], style: list[Tensor]
) -> tuple[list[Tensor], float]:
    """Fuse content and style; return the result and the seconds that attention took.

    Args:
        network: The network.
        content: Its encoded content.
        style: Its encoded style.

    Returns:
        The fused features, and processor seconds in attention over positions.
    """
    seconds = 0.0
    attend = attention.attention_mean

    def timed(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        nonlocal seconds
        started = time.process_time()
        result = attend(query, key, value)
        seconds += time.process_time() - started
        return result

    with (
        mock.patch.object(attention, "attention_mean", timed),
        mock.patch.object(sanet, "attention_mean", timed),  # imports it by name
    ):
        fused = network.transfer(content, style)
    return cast("list[Tensor]", fused), seconds


def measure_pair(
    network: EncoderDecoderNetwork,
    content: Tensor,
    style: Tensor,
    settings: list[Setting],
    metrics: Metrics,
) -> dict[str, Any]:
    """Compare all settings with exact attention for one pair of images.

    Args:
        network: The network.
        content: ``(1, 3, H, W)`` in [0, 1].
        style: ``(1, 3, Hs, Ws)`` in [0, 1].
        settings: Shares and ranks.
        metrics: Measures :data:`MEASURED`.

    Returns:
        Seconds of exact attention and what it reaches; for each setting its seconds, PSNR in dB,
        and what it reaches minus what exact attention does.
    """
    targets = (
        metrics.content_target(content, MEASURED),
        metrics.style_target(style, MEASURED, embed=False),
    )
    encoded = network.encode_content(content), network.encode_style(style)
    size = content.shape[2:]

    def picture(fused: list[Tensor]) -> Tensor:
        return network.decode(fused)[:, :, : size[0], : size[1]].clamp(0, 1)

    fused, exact_seconds = timed_transfer(network, *encoded)
    exact = picture(fused)
    reached = metrics.measure(exact, *targets, MEASURED, embed=False).values
    results = []
    for share, rank in settings:
        form = partial(fast_attention.fast_attention_mean, share=share, rank=rank)
        with (
            mock.patch.object(attention, "fast_attention_mean", form),
            attention.attention_way("fast"),
        ):
            fused, seconds = timed_transfer(network, *encoded)
        fast = picture(fused)
        values = metrics.measure(fast, *targets, MEASURED, embed=False).values
        results.append(
            {
                "share": share,
                "rank": rank,
                "seconds": seconds,
                "psnr": peak_signal_to_noise_ratio(fast, exact),
                **{key: value - reached[key] for key, value in values.items()},
            }
        )
    return {"exact_seconds": exact_seconds, "exact": reached, "settings": results}


def table(pairs: list[dict[str, Any]], settings: list[Setting]) -> str:
    """Return a Markdown table with a row for each setting.

    Args:
        pairs: From :func:`measure_pair`.
        settings: Shares and ranks, in the order of the measurement.

    Returns:
        The table.
    """
    header = ["share of keys", "rank", "PSNR (dB)", "worst pair", "SSIM − exact's"]
    rows = [[*header, "style distance − exact's", "attention : exact"]]
    for index, (share, rank) in enumerate(settings):
        of_setting = [pair["settings"][index] for pair in pairs]
        ratios = [
            one["seconds"] / pair["exact_seconds"]
            for one, pair in zip(of_setting, pairs, strict=True)
        ]
        rows.append(
            [
                f"1 : {1 / share:g}",
                f"{rank}",
                f"{fmean(one['psnr'] for one in of_setting):.1f}",
                f"{min(one['psnr'] for one in of_setting):.1f}",
                f"{fmean(one['ssim'] for one in of_setting):+.4f}",
                f"{fmean(one['style_distance'] for one in of_setting):+.3f}",
                f"{fmean(ratios):.2f}",
            ]
        )
    return aligned(rows)


@torch.inference_mode()
def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.fast_attention",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--network", default="datnet_full", help="default: datnet_full")
    parser.add_argument("--content", type=Path, required=True, help="folder of photographs")
    parser.add_argument("--style", type=Path, required=True, help="folder of paintings")
    parser.add_argument("--pairs", type=int, default=4, help="number of pairs (default: 4)")
    parser.add_argument("--size", type=int, default=512, help="side (default: 512)")
    parser.add_argument("--shares", type=float, nargs="+", default=[fast_attention.SHARE])
    parser.add_argument("--ranks", type=int, nargs="+", default=[fast_attention.RANK])
    parser.add_argument("--output", type=Path, default=Path("runs/fast_attention.json"))
    arguments = parser.parse_args()
    network = load_network(find_network(arguments.network)).eval()
    if not isinstance(network, EncoderDecoderNetwork):
        parser.error(f"{arguments.network} has no attention over positions")
    metrics = Metrics.pretrained(MEASURED).eval()
    settings = list(itertools.product(arguments.shares, arguments.ranks))
    contents, styles = (
        itertools.cycle(find_images(folder)) for folder in (arguments.content, arguments.style)
    )
    pairs = []
    for content, style in tqdm(
        itertools.islice(zip(contents, styles, strict=True), arguments.pairs),
        total=arguments.pairs,
        unit="pair",
    ):
        images = [read_square(path, arguments.size) for path in (content, style)]
        measured = measure_pair(network, images[0], images[1], settings, metrics)
        pairs.append({"content": content.name, "style": style.name, **measured})
        # Written after each pair: a long measurement that ends early is not lost.
        machine = describe_machine(torch.device("cpu"))
        report = {"machine": machine, "size": arguments.size, "pairs": pairs}
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        write_text(arguments.output, json.dumps(report, indent=2) + "\n")
    print(f"{sentence_of_machine(machine)}\n{len(pairs)} pairs at {arguments.size}²\n")
    print(table(pairs, settings))
    print(f"\nWritten: {arguments.output}")


if __name__ == "__main__":
    main()
