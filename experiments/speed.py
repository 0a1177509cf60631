"""DatNet against the same network written down plainly: painting and training steps.

    python -m experiments.speed paint                           # 256 and 512 pixels
    python -m experiments.speed train --size 128 --batch 4
    python -m experiments.speed paint --device cuda --sizes 256 512 1024
    python -m experiments.speed train --device cuda --size 256 --batch 8 --dtype bfloat16

Both take turns in one process; peak memory is read in a process of its own for each. The weights
are random: attention is spread out, without the denormal numbers that slow the plain form of a
trained network down on a CPU. See experiments/plain.py for the plain form.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from datnet.devices import DTYPES, precision
from datnet.evaluation.benchmark import seconds_of
from datnet.evaluation.candidates import random_pictures
from datnet.evaluation.machine import describe_machine, sentence_of_machine
from datnet.evaluation.markdown import aligned
from datnet.evaluation.peak_memory import peak_of
from datnet.files import write_text
from datnet.networks.datnet import DatNet
from datnet.networks.vgg import VggEncoder
from datnet.objectives.datnet import DatNetObjective
from experiments.measuring import peak_in_new_process
from experiments.plain import PlainDatNet

FORMS = ("plain", "ours")


def networks(device: str) -> tuple[PlainDatNet, DatNet]:
    """The plain form and ours, with the same random weights."""
    torch.manual_seed(0)
    network = DatNet(VggEncoder("vgg19", weights=None))
    for parameter in network.decoder.parameters():
        if parameter.ndim == 4:  # so small at the start of training that pictures would be gray
            torch.nn.init.kaiming_normal_(parameter)
    return PlainDatNet(network).to(device), network.to(device)


def painting(name: str, size: int, batch: int, device: str, dtype: str) -> Callable[[], Tensor]:
    """Paint one picture, both images encoded."""
    plain, ours = networks(device)
    content, style = random_pictures(size, torch.device(device))
    if name == "plain":
        plain.eval()
        return torch.no_grad()(lambda: plain(content, style))
    ours.eval().to(memory_format=torch.channels_last)
    content, style = (
        images.contiguous(memory_format=torch.channels_last) for images in (content, style)
    )

    @torch.inference_mode()
    def paint() -> Tensor:
        with precision(torch.device(device), dtype):
            return ours(content, style)

    return paint


def training(name: str, size: int, batch: int, device: str, dtype: str) -> Callable[[], Tensor]:
    """One step of training: loss, gradients, Adam."""
    plain, ours = networks(device)
    objective = DatNetObjective()
    content, style = (
        images.repeat(batch, 1, 1, 1) for images in random_pictures(size, torch.device(device))
    )
    network = plain if name == "plain" else ours.to(memory_format=torch.channels_last)
    if name == "ours":
        content, style = (
            images.contiguous(memory_format=torch.channels_last) for images in (content, style)
        )
    network.train()
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trainable, lr=1e-4)

    def step() -> Tensor:
        optimizer.zero_grad()
        if name == "plain":
            loss = plain.loss(objective, content, style)
        else:
            with precision(torch.device(device), dtype):
                loss = objective.total(objective.terms(ours, content, style))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


WORK = {"paint": painting, "train": training}


def peak(kind: str, name: str, size: int, batch: int, device: str, dtype: str) -> int | None:
    """Bytes that work takes at most, in a process that did none before."""
    WORK[kind](name, 32, 1, device, dtype)()  # code is in memory then
    return peak_of(WORK[kind](name, size, batch, device, dtype), torch.device(device)).bytes


def measure(
    kind: str, size: int, batch: int, device: str, dtype: str, rounds: int
) -> dict[str, Any]:
    """Times in turns, memory, and the largest difference of what comes out."""
    works = {name: WORK[kind](name, size, batch, device, dtype) for name in FORMS}
    plain, ours = works["plain"](), works["ours"]()  # warm-up
    times: dict[str, list[float]] = {name: [] for name in FORMS}
    for _ in tqdm(range(rounds), desc=f"{kind} {size}"):
        for name in FORMS:
            times[name].append(seconds_of(works[name], torch.device(device)))
    return {
        "size": size,
        "batch": batch,
        "seconds": times,
        "difference": (plain - ours).abs().max().item(),
        "peak_bytes": {
            name: peak_in_new_process("experiments.speed", kind, name, size, batch, device, dtype)
            for name in FORMS
        },
    }


def table(results: list[dict[str, Any]]) -> str:
    """One line for each size."""
    rows = [["size", "plain", "ours", "ours : plain", "plain MiB", "ours MiB", "difference"]]
    for result in results:
        times, peaks = result["seconds"], result["peak_bytes"]
        ratio = median(a / b for a, b in zip(times["ours"], times["plain"], strict=True))
        rows.append(
            [
                f"{result['size']}",
                *(f"{median(times[name]):.3f} s" for name in FORMS),
                f"{ratio:.2f}",
                *(f"{peaks[name] / 2**20:.0f}" if peaks[name] else "–" for name in FORMS),
                f"{result['difference']:.1e}",
            ]
        )
    return aligned(rows)


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(
        "python -m experiments.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", nargs="?", choices=WORK, default="paint")
    parser.add_argument("--sizes", "--size", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--batch", type=int, default=4, help="of a training step (default: 4)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="default: runs/speed_KIND.json")
    parser.add_argument("--peak", help=argparse.SUPPRESS)  # how a measuring process is called
    arguments = parser.parse_args()
    if arguments.peak:
        print(peak(*json.loads(arguments.peak)))
        return
    results = [
        measure(
            arguments.kind,
            size,
            arguments.batch if arguments.kind == "train" else 1,
            arguments.device,
            arguments.dtype,
            arguments.rounds,
        )
        for size in arguments.sizes
    ]
    machine = describe_machine(torch.device(arguments.device))
    output = arguments.output or Path(f"runs/speed_{arguments.kind}.json")
    output.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine, "dtype": arguments.dtype, "results": results}
    write_text(output, json.dumps(report, indent=2) + "\n")
    print(f"{sentence_of_machine(machine)}\n")
    print(table(results))
    print(f"\nMedian of {arguments.rounds} rounds in turns. Written: {output}")


if __name__ == "__main__":
    main()
