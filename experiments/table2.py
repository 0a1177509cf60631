"""Table 2 of the paper: size, time and memory of DatNet, six other networks and more.

    python -m experiments.table2                              # sizes 128 to 512 on the CPU
    python -m experiments.table2 --device cuda                # 128 to 2048
    python -m experiments.table2 --sizes 256 512 1024 --runs 5

Weights are random: the cost does not depend on them, so nothing is trained or downloaded. Networks
take turns, see `datnet benchmark --help`. Writes table2.md, table2.json and table2.png and .pdf, a
plot of time and memory against resolution. An interrupted command continues with the missing sizes
when it is started again, if the working tree is a clean commit.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datnet.commands.arguments import Parser, to_path
from datnet.commands.benchmark import add_settings
from datnet.devices import choose_device
from datnet.evaluation.benchmark import Benchmark, BenchmarkSettings, RunningCost
from datnet.evaluation.benchmark_report import (
    measurement_rows,
    plot,
    sentence_of_settings,
)
from datnet.evaluation.candidates import (
    PAPERS_ENCODER,
    Candidate,
    all_names,
    find_candidates,
    with_fast_attention,
)
from datnet.evaluation.markdown import aligned
from datnet.images.files import check_writable, write_text
from experiments.options import run
from experiments.paper import TABLE_2, TITLES
from experiments.table2_rows import memory_rows, size_rows, time_rows, title, titles

SIZES = {"cpu": (128, 256, 512), "cuda": (128, 256, 512, 1024, 2048)}
"""Default sizes by device; other devices have those of the CPU."""

FAST = "datnet_full"
"""The network with a second row, with fast attention."""

NOTES = """\
Seconds depend on the machine (the paper's: a GTX 1060). The growth from 256² to 512² and the ratio
to AdaIN are roughly independent of it; compare these. × AdaIN is the median over turns in which
each network stylizes once. M: millions of parameters, including the parts of the frozen encoder
that are used. G: billions of multiply-adds (MACs) for one image at 256 × 256; a multiply-add is
one, torch's FLOPs are twice that. Memory is the peak beyond the weights.

Gatys' optimization is measured with 3 steps of equal cost; its default is 300, with a hundred times
the seconds and multiply-adds of its row and the same memory.

Two of the paper's counts cannot be compared. MANet's 13.74 M are exactly the parameters that are
not frozen when the network is built on a whole VGG-19: its own layers and the three of VGG after
relu5_1, which are never used; its encoder is not counted. ArtFlow's 26.46 M add the 20.02 M of the
VGG-19 of its training loss to the flow, which alone generates the image. No way of counting gives
MANet's 45.99 G, the same as AdaIN's, or ArtFlow's 88.09 G: three passes through its flow, two to
encode and one to decode, are twice as many."""


def argument_parser() -> argparse.ArgumentParser:
    """Return the parser of the command's options."""
    parser = Parser(
        "python -m experiments.table2",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_settings(parser, sizes="default: 128 256 512, with a GPU to 2048", runs=3)
    parser.add_argument(
        "--output", type=to_path, default=Path("runs/table2"), help="default: runs/table2"
    )
    return parser


def make_table(arguments: argparse.Namespace) -> None:
    """Measure, write and print.

    Raises:
        DatNetError: If a size or the device is not possible.
    """
    check_writable([arguments.output / "table2.md"])
    device = choose_device(arguments.device)
    settings = BenchmarkSettings(
        arguments.sizes or SIZES.get(device.type, SIZES["cpu"]),
        arguments.warmup,
        arguments.runs,
        device,
        arguments.dtype,
        arguments.threads,
    )
    candidates, same = distinct_networks(find_candidates(table_names(), PAPERS_ENCODER))
    benchmark = Benchmark(with_fast_row(candidates), settings)
    measurements = measure_missing(benchmark, arguments.output / "unfinished.json")
    report = {**benchmark.report(measurements), "same_network": same, "paper": TABLE_2}
    text = describe(report)
    write_text(arguments.output / "table2.json", json.dumps(report, indent=2) + "\n")
    write_text(arguments.output / "table2.md", text + "\n")
    for suffix in ("png", "pdf"):
        plot(report, arguments.output / f"table2.{suffix}", titles(report))
    (arguments.output / "unfinished.json").unlink(missing_ok=True)
    print(f"\n{text}\n\nWritten: table2.md, .json, .png and .pdf in {arguments.output}")


def table_names() -> list[str]:
    """Return the paper's networks in its order, then all others."""
    return [*TITLES, *(name for name in all_names() if name not in TITLES)]


def distinct_networks(candidates: Sequence[Candidate]) -> tuple[list[Candidate], dict[str, str]]:
    """Remove networks that differ from an earlier one only in their training.

    Returns:
        The remaining networks, and for each removed one the title of its equal.
    """
    distinct: list[Candidate] = []
    same: dict[str, str] = {}
    for candidate in candidates:
        twin = next((each for each in distinct if each.network == candidate.network), None)
        if twin is None:
            distinct.append(candidate)
        else:
            same[candidate.title] = twin.title
    return distinct, same


def with_fast_row(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Add a second row for :data:`FAST`, with fast attention."""
    rows: list[Candidate] = []
    for candidate in candidates:
        rows.append(candidate)
        if candidate.title == FAST:
            rows.append(with_fast_attention(candidate))
    return rows


def measure_missing(benchmark: Benchmark, unfinished: Path) -> list[RunningCost]:
    """Measure all sizes except those that an interrupted run under the same conditions measured.

    Args:
        benchmark: The networks.
        unfinished: File that keeps measurements until the table is written.

    Returns:
        Measurements of all sizes, ascending.
    """
    conditions = benchmark.report([])
    del conditions["machine"]["date"], conditions["settings"]["sizes"]
    kept: list[RunningCost] = []
    commit = conditions["machine"]["commit"] or "-dirty"
    if unfinished.exists() and not commit.endswith("-dirty"):  # else the code may differ
        earlier = json.loads(unfinished.read_text(encoding="utf-8"))
        if earlier["conditions"] == conditions:
            kept = [RunningCost(**each) for each in earlier["measurements"]]
    done = {measurement.size for measurement in kept}
    if done:
        print(f"measured before the interruption: {', '.join(map(str, sorted(done)))}")
    for size in benchmark.settings.sizes:
        if size not in done:
            kept += benchmark.measure(size)
            state = {"conditions": conditions, "measurements": [asdict(each) for each in kept]}
            write_text(unfinished, json.dumps(state, indent=2) + "\n")
    wanted = [each for each in kept if each.size in benchmark.settings.sizes]
    return sorted(wanted, key=lambda each: each.size)


def describe(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    twins = [
        f"`{name}` has no row: only its training differs; its network is that of {title(twin)}."
        for name, twin in report["same_network"].items()
    ]
    return "\n\n".join(
        [
            "# Table 2: size, time and memory",
            sentence_of_settings(report) + " · encoder VGG-19, random weights",
            "## Size",
            aligned(size_rows(report)),
            "## Time",
            aligned(time_rows(report)),
            "## Memory, and time without encoding the style",
            aligned(memory_rows(report)),
            *twins,
            NOTES,
            "## Every size",
            *(
                f"{size} × {size} pixels:\n\n"
                + aligned(measurement_rows(report, size, titles(report)))
                for size in report["settings"]["sizes"]
            ),
        ]
    )


if __name__ == "__main__":
    run(argument_parser(), make_table)
