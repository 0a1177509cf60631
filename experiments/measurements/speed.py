r"""DatNet against a straightforward implementation: stylizing and training steps.

    python -m experiments.measurements.speed paint                           # 256 and 512 pixels
    python -m experiments.measurements.speed train --size 128 --batch 4
    python -m experiments.measurements.speed paint --device cuda --sizes 256 512 1024
    python -m experiments.measurements.speed train --device cuda --size 256 --batch 8 \
        --dtype bfloat16

    python -m experiments.measurements.speed paint --network NETWORK \
        --pictures photo.jpg painting.jpg

Both take turns in one process; peak memory is measured in a new process for each. Without --network
the weights are random: attention is then spread out, without the denormal numbers that slow down
the plain form of a trained network on a CPU. See experiments/measurements/plain.py for the plain
form.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from datnet.devices import DTYPES, precision
from datnet.errors import DatNetError
from datnet.evaluation.benchmark import seconds_of
from datnet.evaluation.candidates import random_pictures
from datnet.evaluation.machine import describe_machine, sentence_of_machine
from datnet.evaluation.markdown import aligned
from datnet.evaluation.peak_memory import peak_of
from datnet.images.files import write_text
from datnet.images.tensors import read_square
from datnet.networks.datnet import DatNet
from datnet.networks.vgg import VggEncoder
from datnet.objectives.datnet import DatNetObjective
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network
from experiments.measurements.measuring import peak_in_new_process
from experiments.measurements.plain import PlainDatNet

FORMS = ("plain", "ours")


class Task(NamedTuple):
    """What is measured.

    Attributes:
        size: Side of the images in pixels.
        batch: Pairs in a training step.
        device: cpu, cuda, …
        dtype: Type of our form's convolutions.
        network: A trained DatNet; None for random weights.
        pictures: A photograph and a painting; None for random images.
    """

    size: int
    batch: int
    device: str
    dtype: str
    network: str | None = None
    pictures: tuple[str, str] | None = None


def networks(task: Task) -> tuple[PlainDatNet, DatNet]:
    """Return the plain form and ours, with the same weights."""
    torch.manual_seed(0)
    if task.network is None:
        network = DatNet(VggEncoder("vgg19"))
        for parameter in network.decoder.parameters():
            if parameter.ndim == 4:  # the initial weights are so small that results would be gray
                torch.nn.init.kaiming_normal_(parameter)
    else:
        loaded = load_network(find_network(task.network))
        if not isinstance(loaded, DatNet):
            raise DatNetError(f"{task.network} is no DatNet; only DatNet has a plain form")
        network = loaded
    return PlainDatNet(network).to(task.device), network.to(task.device)


def pictures(task: Task) -> list[Tensor]:
    """Return content and style, each ``(1, 3, size, size)`` in [0, 1]."""
    if task.pictures is None:
        return list(random_pictures(task.size, torch.device(task.device)))
    return [read_square(path, task.size).to(task.device) for path in task.pictures]


def channels_last(images: list[Tensor]) -> list[Tensor]:
    """Convert images to the memory format of our form."""
    return [each.contiguous(memory_format=torch.channels_last) for each in images]


def painting(name: str, task: Task) -> Callable[[], Tensor]:
    """Return a function that stylizes one image, encoding of both images included.

    Args:
        name: One of :data:`FORMS`.
        task: The task.

    Returns:
        The function.
    """
    plain, ours = networks(task)
    content, style = pictures(task)
    if name == "plain":
        plain.eval()
        return torch.no_grad()(lambda: plain(content, style))
    ours.eval().to(memory_format=torch.channels_last)
    content, style = channels_last([content, style])

    @torch.inference_mode()
    def paint() -> Tensor:
        with precision(torch.device(task.device), task.dtype):
            return ours(content, style)

    return paint


def training(name: str, task: Task) -> Callable[[], Tensor]:
    """Return a function that does one training step: loss, gradients, Adam.

    Args:
        name: One of :data:`FORMS`.
        task: The task.

    Returns:
        The function.
    """
    plain, ours = networks(task)
    objective = DatNetObjective()
    content, style = (images.repeat(task.batch, 1, 1, 1) for images in pictures(task))
    network: PlainDatNet | DatNet = plain
    if name == "ours":
        network = ours.to(memory_format=torch.channels_last)
        content, style = channels_last([content, style])
    network.train()
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trainable, lr=1e-4)

    def step() -> Tensor:
        optimizer.zero_grad()
        if name == "plain":
            loss = plain.loss(objective, content, style)
        else:
            with precision(torch.device(task.device), task.dtype):
                loss = objective.total(objective.terms(ours, content, style))
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


WORK = {"paint": painting, "train": training}


def peak(kind: str, name: str, *values: Any) -> int | None:
    """Measure peak memory; call it in a new process.

    Args:
        kind: Key of :data:`WORK`.
        name: One of :data:`FORMS`.
        values: Values of the task.

    Returns:
        Bytes; None if they cannot be measured.
    """
    task = Task(*values)
    WORK[kind](name, task._replace(size=32, batch=1))()  # loads the code into memory
    return peak_of(WORK[kind](name, task), torch.device(task.device)).bytes


def measure(kind: str, task: Task, rounds: int) -> dict[str, Any]:
    """Measure times in turns, memory, and the largest difference of the results.

    Args:
        kind: Key of :data:`WORK`.
        task: The task.
        rounds: Number of rounds.

    Returns:
        The measurements, for JSON.
    """
    works = {name: WORK[kind](name, task) for name in FORMS}
    plain, ours = works["plain"](), works["ours"]()  # warm-up
    times: dict[str, list[float]] = {name: [] for name in FORMS}
    for _ in tqdm(range(rounds), desc=f"{kind} {task.size}"):
        for name in FORMS:
            times[name].append(seconds_of(works[name], torch.device(task.device)))
    return {
        **task._asdict(),
        "seconds": times,
        "difference": (plain - ours).abs().max().item(),
        "peak_bytes": {
            name: peak_in_new_process("experiments.measurements.speed", kind, name, *task)
            for name in FORMS
        },
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return a Markdown table with a row per size."""
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
        "python -m experiments.measurements.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", nargs="?", choices=WORK, default="paint")
    parser.add_argument("--sizes", "--size", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--batch", type=int, default=4, help="of a training step (default: 4)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--network", help="a trained DatNet or a checkpoint of one (default: random weights)"
    )
    parser.add_argument(
        "--pictures", nargs=2, metavar=("CONTENT", "STYLE"), help="default: random pictures"
    )
    parser.add_argument("--output", type=Path, help="default: runs/speed_KIND.json")
    parser.add_argument("--peak", help=argparse.SUPPRESS)  # how a measuring process is called
    arguments = parser.parse_args()
    if arguments.peak:
        print(peak(*json.loads(arguments.peak)))
        return
    results = []
    for size in arguments.sizes:
        task = Task(
            size,
            arguments.batch if arguments.kind == "train" else 1,
            arguments.device,
            arguments.dtype,
            arguments.network,
            arguments.pictures,
        )
        results.append(measure(arguments.kind, task, arguments.rounds))
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
