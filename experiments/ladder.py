"""Quality against training: measures the checkpoints that trainings kept.

    python -m experiments.ladder runs/datnet_full/seed_1 runs/datnet_dual/seed_1
        --content COCO50 --style WIKIART20

A training with `keep_every=N` (as in experiment=small_machine) keeps a checkpoint every N steps.
The first of them, every doubling of its steps and the last are measured, also while the training is
still running. Writes ladder.md, ladder.json, ladder.png and ladder.pdf. Existing measurements are
not repeated. In one file, since table, sentences and plot tell of the same rungs.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from datnet import provenance
from datnet.commands.arguments import Parser, to_path, whole
from datnet.commands.process import run_command
from datnet.devices import choose_device
from datnet.errors import DatNetError
from datnet.evaluation.controls import CONTROLS
from datnet.evaluation.evaluate import evaluate_networks
from datnet.evaluation.markdown import aligned
from datnet.evaluation.metrics import METRICS, SET_METRICS
from datnet.evaluation.pairs import every_pair
from datnet.evaluation.summary import Estimate, format_estimate, format_number, summary_table
from datnet.images.embedded import sample_images
from datnet.images.files import complete_or_absent, write_text
from datnet.images.finding import find_images
from datnet.zoo.network_file import (
    NetworkDescription,
    network_of_checkpoint,
    read_checkpoint,
    read_description,
)
from experiments.tables import as_json

COLUMNS = [
    column
    for column in (*METRICS, *SET_METRICS)
    if column.key in ("ssim", "lpips_alex", "psnr", "style_distance", "art_fid_vgg")
]


PAPER_PAIRS = 50_000 * 8
"""Pairs of images in the paper's training."""


@dataclass(frozen=True)
class Rung:
    """A network at one step of its training.

    Attributes:
        name: The model; with the run folder if there are several runs of it.
        steps: Steps done.
        pairs: Pairs of images that it has been trained on.
        has_late_crops: Whether the last of them had another crop size.
        estimates: Its metrics.
    """

    name: str
    steps: int
    pairs: int
    has_late_crops: bool
    estimates: Mapping[str, Estimate | None]


def main() -> None:
    """Measure the checkpoints, write and print the report."""
    parser = Parser(
        "python -m experiments.ladder",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=to_path, help="folders of trainings")
    parser.add_argument("--content", type=to_path, help="photographs (default: sample set)")
    parser.add_argument("--style", type=to_path, help="paintings (default: sample set)")
    parser.add_argument("--contents", type=whole(1), help="use the first N photographs")
    parser.add_argument("--styles", type=whole(1), help="use the first N paintings")
    parser.add_argument(
        "--size", type=whole(32, 4096), default=512, help="side of the images (default: 512)"
    )
    parser.add_argument("--output", type=to_path, default=Path("runs/ladder"))
    arguments = parser.parse_args()
    try:
        climb(arguments)
    except DatNetError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on from here")


def climb(arguments: argparse.Namespace) -> None:
    """Measure the checkpoints of trainings and write the report.

    Raises:
        DatNetError: If a training kept no checkpoint, or images are missing.
    """
    kept = {run: list(map(network_of_checkpoint, doublings(run))) for run in arguments.runs}
    descriptions = {path: read_description(path) for paths in kept.values() for path in paths}
    names = curve_names({run: descriptions[paths[0]].name for run, paths in kept.items()})
    name_of = {path: names[run] for run, paths in kept.items() for path in paths}
    networks = {
        f"{name}, {descriptions[path].training['steps']} steps": path
        for path, name in name_of.items()
    }
    pairs = every_pair(
        find_images(arguments.content or sample_images().eval_content)[: arguments.contents],
        find_images(arguments.style or sample_images().eval_style)[: arguments.styles],
    )
    summaries = evaluate_networks(
        networks,
        pairs,
        arguments.output / "evaluation",
        size=arguments.size,
        device=choose_device(),
    )
    rungs = []
    of_networks = summaries[len(CONTROLS) :]
    for (path, description), summary in zip(descriptions.items(), of_networks, strict=True):
        steps = description.training["steps"]
        seen = steps * description.training["images_per_step"]
        late = description.training.get("data", {}).get("late_from_step")
        has_late_crops = late is not None and steps > late
        rungs.append(Rung(name_of[path], steps, seen, has_late_crops, summary.estimates()))
    text = "\n\n".join(
        [
            "# Quality against training",
            sentence_of_runs(list(descriptions.values())),
            describe(rungs),
            "## Every rung",
            summary_table(summaries),
        ]
    )
    report = {
        "protocol": summaries[0].protocol,
        "commit": provenance.commit(),
        "rungs": [
            {
                "name": rung.name,
                "steps": rung.steps,
                "pairs": rung.pairs,
                **{
                    column.key: as_json(estimate)
                    for column in COLUMNS
                    if (estimate := rung.estimates[column.key])
                },
            }
            for rung in rungs
        ],
    }
    write_text(arguments.output / "ladder.md", text + "\n")
    write_text(arguments.output / "ladder.json", json.dumps(report, indent=2) + "\n")
    for suffix in ("png", "pdf"):
        plot(rungs, arguments.output / f"ladder.{suffix}")
    print(f"\n{text}\n\nWritten: ladder.md, .json, .png and .pdf in {arguments.output}")


def sentence_of_runs(descriptions: Sequence[NetworkDescription]) -> str:
    """Return encoder, seeds and commits of the measured networks in one line."""

    def listed(values: Iterable[object]) -> str:
        return ", ".join(sorted({str(value) for value in values}))

    return (
        f"Measured at commit {provenance.commit()} · encoder "
        f"{listed(each.encoder.get('arch', 'none') for each in descriptions)} · trained with seed "
        f"{listed(each.training.get('seed', 'not recorded') for each in descriptions)} at commit "
        f"{listed(each.training.get('commit', 'not recorded') for each in descriptions)}"
    )


def curve_names(models: Mapping[Path, str]) -> dict[Path, str]:
    """Return a name for the curve of each run: the model's, with the run folder if not unique."""
    repeated = {name for name, times in Counter(models.values()).items() if times > 1}
    return {
        run: f"{name} {str(run).replace('/', '_')}" if name in repeated else name
        for run, name in models.items()
    }


def doublings(run: Path) -> list[Path]:
    """Return the first checkpoint that a training kept, those of every doubling, and the last.

    Raises:
        DatNetError: If it kept none.
    """
    kept = {read_checkpoint(path)[0]: path for path in (run / "checkpoints").glob("step_*.ckpt")}
    if not kept:
        raise DatNetError(f"{run} has no checkpoints/step_*.ckpt; train with keep_every=1000")
    first, last = min(kept), max(kept)
    wanted = {first * 2**power for power in range(int(math.log2(last / first)) + 1)} | {last}
    return [path for step, path in sorted(kept.items()) if step in wanted]


def describe(rungs: Sequence[Rung]) -> str:
    """Return the table, with an extrapolation of each network's last doubling.

    Crops of another size change a network within a few steps, so measurements after such a change
    are not extrapolated.

    Args:
        rungs: Rungs of all networks, each in the order of steps.
    """
    rows = [["network", "pairs seen", *(f"{each.label} {each.arrow}" for each in COLUMNS)]]
    for name in dict.fromkeys(rung.name for rung in rungs):
        own = [rung for rung in rungs if rung.name == name]
        for rung in own:
            rows.append([name, f"{rung.pairs:,}", *measured(rung)])
        alike = [rung for rung in own if not rung.has_late_crops]
        if len(alike) > 1:
            rows.append([name, f"{PAPER_PAIRS:,}?", *prolonged(*alike[-2:])])
    return (
        aligned(rows)
        + "\n\nA row with a question mark is an extrapolation: a straight line in the logarithm of "
        "the pairs through a network's last two rows (those before its crops changed, if they "
        "did), extended to the paper's training."
    )


def measured(rung: Rung) -> list[str]:
    """Return the cells of a rung."""
    return [
        "–" if estimate is None else format_estimate(estimate, column.decimals)
        for column in COLUMNS
        for estimate in [rung.estimates[column.key]]
    ]


def prolonged(earlier: Rung, later: Rung) -> list[str]:
    """Extrapolate to the paper's number of pairs, as if all doublings had the same effect.

    Args:
        earlier: The last rung but one.
        later: The last rung.

    Returns:
        The cells of a row.
    """
    cells = []
    for column in COLUMNS:
        before, after = earlier.estimates[column.key], later.estimates[column.key]
        if before is None or after is None:
            cells.append("–")
            continue
        slope = (after.mean - before.mean) / math.log(later.pairs / earlier.pairs)
        value = after.mean + slope * math.log(PAPER_PAIRS / later.pairs)
        cells.append(format_number(value, column.decimals))
    return cells


def plot(rungs: Sequence[Rung], path: Path) -> None:
    """Plot each metric against the pairs seen, one line per network, with 95 % intervals.

    Args:
        rungs: Rungs of all networks, each in the order of steps.
        path: A .png or .pdf file.
    """
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    *panels, names = figure.subplots(2, 3).flat
    for axes, column in zip(panels, COLUMNS, strict=True):
        for position, name in enumerate(dict.fromkeys(rung.name for rung in rungs)):
            points = [
                (rung.pairs, estimate)
                for rung in rungs
                if rung.name == name and (estimate := rung.estimates[column.key])
            ]
            # Shifted, so that intervals do not hide each other.
            xs = [pairs * 1.05**position for pairs, _ in points]
            means = [estimate.mean for _, estimate in points]
            ends = [estimate.ci95 or (estimate.mean, estimate.mean) for _, estimate in points]
            bars = [
                [mean - low for mean, (low, _) in zip(means, ends, strict=True)],
                [high - mean for mean, (_, high) in zip(means, ends, strict=True)],
            ]
            axes.errorbar(
                xs, means, yerr=bars, marker="o", markersize=4, elinewidth=0.8, label=name
            )
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks := sorted({rung.pairs for rung in rungs}))
        axes.set_xticklabels([f"{tick:,}" for tick in ticks], rotation=45, ha="right", fontsize=7)
        axes.minorticks_off()
        axes.set_title(f"{column.label} {column.arrow}", fontsize=10)
        axes.set_xlabel("pairs seen", fontsize=8)
        axes.grid(color="0.92")
    names.set_axis_off()
    names.legend(*figure.axes[0].get_legend_handles_labels(), frameon=False, loc="center")
    with complete_or_absent(path) as unfinished:
        figure.savefig(unfinished, format=path.suffix[1:], dpi=120)


if __name__ == "__main__":
    run_command(main)
