"""`datnet benchmark`: inference time, memory and size of networks."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

from datnet.commands.arguments import to_name, to_path, to_word, whole
from datnet.errors import DatNetError, require_extra
from datnet.stylize.options import ATTENTION, SMALLEST_SIDE

DESCRIPTION = """\
Measure the cost of inference: parameters, multiply-adds (MACs), time and peak memory at batch
size 1, with content and style of the same size.

NETWORK is a name in conf/model (datnet_full, adain, …), a training-free method (wct, gatys) or a
trained network file. By default all of conf/model and both methods are measured. Gatys'
optimization is measured with 3 of its 300 steps, which all cost the same; the row says so. Weights
are random and nothing is downloaded: the cost does not depend on them.

Networks run in turns: each stylizes once before any does so again, so other load on the machine
affects all of them alike. "× AdaIN" is the median over turns of the time divided by AdaIN's time in
the same turn. Seconds hold for one machine; these ratios carry over better. On the CPU, peak memory
is measured in a new process for each network and size. A network that runs out of memory gets a row
that says so, and the benchmark continues.
"""

EXAMPLES = """\
examples:
  all networks at 256 × 256 and 512 × 512; takes minutes on a few cores
    datnet benchmark

  two of them, quickly
    datnet benchmark adain datnet_full --sizes 128 256 --runs 3

  a trained network compared with AdaIN, on a GPU in 16 bits
    datnet benchmark runs/datnet_full/seed_1/network.safetensors adain \\
        --device cuda --dtype bfloat16

  write everything to files, with a plot of time and memory against resolution
    datnet benchmark --sizes 128 256 512 1024 --json cost.json --csv cost.csv --plot cost.png

exit status: 0 everything was measured; 1 a network could not be measured at some size, or the
command failed, with one line that says why; 2 invalid command line.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "benchmark",
        help="measure inference time, memory and size of networks",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "networks",
        type=to_name,
        nargs="*",
        metavar="NETWORK",
        help="names in conf/model, files written by `datnet train`, published networks or "
        "training-free methods (default: all of conf/model, wct and gatys)",
    )
    add_settings(parser, sizes="default: 256 512", runs=5)
    parser.add_argument(
        "--encoder",
        choices=["vgg19", "vgg16"],
        help="encoder of all networks that have one (default: the one a trained file was trained "
        "with, else vgg19)",
    )
    parser.add_argument(
        "--attention",
        choices=ATTENTION,
        default="exact",
        help="attention over positions of all networks that have it: exact (default) or fast, see "
        "`datnet stylize --help`",
    )
    parser.add_argument("--json", type=to_path, metavar="FILE", help="write everything as JSON")
    parser.add_argument(
        "--csv", type=to_path, metavar="FILE", help="write one row per network and size as CSV"
    )
    parser.add_argument(
        "--plot",
        type=to_path,
        metavar="FILE",
        help="plot time and memory against resolution, as .png or .pdf",
    )
    parser.set_defaults(run=run)


def add_settings(parser: argparse.ArgumentParser, sizes: str, runs: int) -> None:
    """Add the measurement options.

    Args:
        parser: Parser to add them to.
        sizes: Help text about the default sizes.
        runs: Default number of timed runs.
    """
    parser.add_argument(
        "--sizes",
        type=whole(SMALLEST_SIDE, 4096),
        nargs="+",
        metavar="PIXELS",
        help=f"side lengths of the square images, 32 to 4096 pixels ({sizes})",
    )
    parser.add_argument(
        "--warmup",
        type=whole(0, 1_000_000),
        default=1,
        help="number of warm-up runs, which are not timed (default: 1)",
    )
    parser.add_argument(
        "--runs",
        type=whole(1, 1_000_000),
        default=runs,
        help=f"number of timed runs (default: {runs})",
    )
    parser.add_argument(
        "--device", type=to_word, help="cpu, cuda, cuda:1, … (default: a GPU if available)"
    )
    parser.add_argument(
        "--dtype",
        choices=["float32", "bfloat16", "float16"],
        default="float32",
        help="precision; 16 bits use autocast (default: float32)",
    )
    parser.add_argument(
        "--threads", type=whole(1, 1024), help="CPU threads (default: torch's choice)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the tables and write the report files.

    Returns:
        1 if a network could not be measured at some size, else 0.
    """
    from datnet.devices import choose_device
    from datnet.evaluation.benchmark import Benchmark, BenchmarkSettings  # these import torch
    from datnet.evaluation.benchmark_report import csv_text, plot, tables
    from datnet.evaluation.candidates import all_names, find_candidates
    from datnet.images.files import write_text

    check_outputs(arguments)
    if arguments.plot is not None:
        require_extra("figures")
    settings = BenchmarkSettings(
        arguments.sizes or (256, 512),
        arguments.warmup,
        arguments.runs,
        choose_device(arguments.device),
        arguments.dtype,
        arguments.threads,
    )
    candidates = find_candidates(arguments.networks or all_names(), arguments.encoder)
    candidates = [replace(candidate, attention=arguments.attention) for candidate in candidates]
    benchmark = Benchmark(candidates, settings)
    measurements = [each for size in settings.sizes for each in benchmark.measure(size)]
    report = benchmark.report(measurements)
    print(tables(report))
    if arguments.json:
        write_text(arguments.json, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    if arguments.csv:
        write_text(arguments.csv, csv_text(report))
    if arguments.plot:
        plot(report, arguments.plot)
    return int(any(measurement.problem for measurement in measurements))


def check_outputs(arguments: argparse.Namespace) -> None:
    """Check before measuring that the output files can be written.

    Raises:
        DatNetError: If the name of the plot does not end with .png or .pdf.
        OSError: If a file cannot be written.
    """
    from datnet.images.files import check_writable

    outputs = [arguments.json, arguments.csv, arguments.plot]
    check_writable(output for output in outputs if output is not None)
    if arguments.plot is not None and arguments.plot.suffix not in (".png", ".pdf"):
        raise DatNetError(f"--plot {arguments.plot} must end with .png or .pdf")
