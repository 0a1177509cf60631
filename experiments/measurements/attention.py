"""Attention with a full matrix against DatNet's tiles: time and memory, forward and backward.

    python -m experiments.measurements.attention                   # 1k to 16k positions
    python -m experiments.measurements.attention --positions 4096 65536 --forward-only
    python -m experiments.measurements.attention --device cuda --positions 1024 4096 16384 65536

The shapes are those of DatNet at relu3_1: keys with 448 channels and values with 256, of which
attention computes mean and standard deviation. The forms take turns in one process; memory is
measured in a new process for each. `fused` is torch's scaled_dot_product_attention over values and
squared values, padded to the same number of channels, as its kernels require.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from datnet.devices import memory_bytes
from datnet.evaluation.benchmark import seconds_of
from datnet.evaluation.machine import describe_machine, sentence_of_machine
from datnet.evaluation.markdown import aligned
from datnet.evaluation.peak_memory import peak_of
from datnet.images.files import write_text
from datnet.networks.attention import attention_moments
from experiments.measurements import plain
from experiments.measurements.measuring import peak_in_new_process

KEY_CHANNELS, VALUE_CHANNELS = 448, 256

Moments = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def fused(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the moments with torch's fused attention.

    Args:
        query: ``(B, K, N)``.
        key: ``(B, K, M)``.
        value: ``(B, C, M)``.

    Returns:
        Mean and standard deviation, each ``(B, C, N)``.
    """
    center = value.mean(2, keepdim=True)
    centered = value - center
    moments = torch.cat([centered, centered.square()], dim=1)
    channels = max(query.shape[1], moments.shape[1])
    query, key, padded = (
        F.pad(each.mT, (0, channels - each.shape[1]))[:, None] for each in (query, key, moments)
    )
    result = F.scaled_dot_product_attention(query, key, padded, scale=1.0)[:, 0].mT
    mean, square = result[:, : moments.shape[1]].chunk(2, dim=1)
    return mean + center, (torch.relu(square - mean.square()) + 1e-10).sqrt()


FORMS: dict[str, Moments] = {
    "matrix": plain.attention_moments,
    "tiles": attention_moments,
    "fused": fused,
}


def inputs(positions: int, device: str, gradients: bool, sharpness: float = 1.0) -> list[Tensor]:
    """Draw random queries, keys and values.

    With sharpness 1 the mean of a query's largest weight is 0.87. At relu3_1 it is 0.74 in a DatNet
    after 150 steps and 0.95 in the local feature loss.

    Args:
        positions: Number of positions.
        device: Where to put them.
        gradients: Whether they require gradients.
        sharpness: Factor on queries and keys.

    Returns:
        Tensors ``(1, C, positions)``.
    """
    generator = torch.Generator().manual_seed(0)
    channels = (KEY_CHANNELS, KEY_CHANNELS, VALUE_CHANNELS)
    tensors = [torch.randn(1, count, positions, generator=generator) for count in channels]
    scaled = [sharpness * tensors[0], sharpness * tensors[1], tensors[2].relu()]
    return [tensor.to(device).requires_grad_(gradients) for tensor in scaled]


def compute(form: Moments, tensors: list[Tensor]) -> list[Tensor]:
    """Compute mean and standard deviation, and gradients if the inputs require them.

    Args:
        form: The form of attention.
        tensors: From :func:`inputs`.

    Returns:
        Mean, standard deviation and the gradients of the inputs.
    """
    mean, std = form(*tensors)
    if not tensors[0].requires_grad:
        return [mean, std]
    return [mean, std, *torch.autograd.grad(mean.sum() + std.square().sum(), tensors)]


def peak(name: str, positions: int, device: str, gradients: bool) -> int | None:
    """Peak memory of one computation beyond its inputs.

    Args:
        name: Key of :data:`FORMS`.
        positions: Number of positions.
        device: Where to compute.
        gradients: Whether to compute gradients.

    Returns:
        Bytes; None if they cannot be measured.
    """
    compute(FORMS[name], inputs(64, device, gradients))  # loads the code into memory
    tensors = inputs(positions, device, gradients)
    return peak_of(lambda: compute(FORMS[name], tensors), torch.device(device)).bytes


def fits(name: str, positions: int, device: str, gradients: bool) -> bool:
    """Whether the matrices of the matrix form, 2 or with gradients 4, fit into memory.

    Args:
        name: Key of :data:`FORMS`; other forms always fit.
        positions: Number of positions.
        device: Where to compute.
        gradients: Whether gradients are computed.

    Returns:
        True if they need less than 80 % of the memory.
    """
    if name != "matrix":
        return True
    total = (
        torch.cuda.get_device_properties(device).total_memory
        if device != "cpu"
        else memory_bytes() or 0
    )
    return 4 * positions**2 * (4 if gradients else 2) < 0.8 * total


def measure(
    positions: int,
    gradients: bool,
    arguments: argparse.Namespace,
    bar: tqdm[Any],
) -> dict[str, Any]:
    """Measure time and memory of all forms, and their differences from the first one.

    Args:
        positions: Number of positions.
        gradients: Whether to compute gradients.
        arguments: The command's options.
        bar: Progress bar.

    Returns:
        The measurements, for JSON.
    """
    device, rounds, names = arguments.device, arguments.rounds, arguments.forms
    tensors = inputs(positions, device, gradients, arguments.sharpness)
    here = [name for name in names if fits(name, positions, device, gradients)]
    reference = compute(FORMS[here[0]], tensors)
    differences = {}
    for name in here:
        results = compute(FORMS[name], tensors)
        differences[name] = max(
            ((ours - theirs).norm() / theirs.norm()).item()
            for ours, theirs in zip(results, reference, strict=True)
        )
        del results
    del reference
    times: dict[str, list[float]] = {name: [] for name in here}
    for _ in range(rounds):
        for name in here:
            times[name].append(
                seconds_of(partial(compute, FORMS[name], tensors), torch.device(device))
            )
            bar.update()
    return {
        "positions": positions,
        "backward": gradients,
        "seconds": times,
        "peak_bytes": {
            name: peak_in_new_process(
                "experiments.measurements.attention", name, positions, device, gradients
            )
            for name in here
        },
        "relative_difference": differences,
    }


def table(results: list[dict[str, Any]], names: list[str]) -> str:
    """Return a Markdown table of times, ratios to the matrix form, and memory.

    Args:
        results: From :func:`measure`.
        names: Keys of :data:`FORMS`.

    Returns:
        The table.
    """
    header = ["positions", "pass"]
    header += [f"{name}: time" for name in names] + [f"{name}: MiB" for name in names]
    rows = [header]
    for result in results:
        times, peaks = result["seconds"], result["peak_bytes"]
        row = [f"{result['positions']}", "both" if result["backward"] else "forward"]
        for name in names:
            if name not in times:
                row.append("no room")
            elif "matrix" in times:
                ratios = [a / b for a, b in zip(times[name], times["matrix"], strict=True)]
                row.append(f"{median(times[name]):.3f} s ({median(ratios):.2f})")
            else:
                row.append(f"{median(times[name]):.3f} s")
        row += [f"{peaks[name] / 2**20:.0f}" if peaks.get(name) else "–" for name in names]
        rows.append(row)
    return aligned(rows)


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(
        "python -m experiments.measurements.attention",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--positions", type=int, nargs="+", default=[1024, 4096, 16384])
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--sharpness",
        type=float,
        default=1.0,
        help="factor of queries and keys: 1 gives attention as peaked as that of trained networks, "
        "0.3 spreads it out (default: 1)",
    )
    parser.add_argument("--forward-only", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("runs/attention.json"))
    parser.add_argument("--peak", help=argparse.SUPPRESS)  # how a measuring process is called
    arguments = parser.parse_args()
    if arguments.peak:
        print(peak(*json.loads(arguments.peak)))
        return
    passes = [False] if arguments.forward_only else [False, True]
    cases = [(positions, both) for both in passes for positions in sorted(arguments.positions)]
    with tqdm(total=len(cases) * arguments.rounds * len(arguments.forms)) as bar:
        results = [measure(positions, both, arguments, bar) for positions, both in cases]
    machine = describe_machine(torch.device(arguments.device))
    report = {"machine": machine, "sharpness": arguments.sharpness, "results": results}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(arguments.output, json.dumps(report, indent=2) + "\n")
    print(f"{sentence_of_machine(machine)}\n")
    print(table(results, arguments.forms))
    print(
        f"\nMedian of {arguments.rounds} rounds in turns; in brackets the median of each round's "
        f"ratio to the matrix form. Written: {arguments.output}"
    )


if __name__ == "__main__":
    main()
