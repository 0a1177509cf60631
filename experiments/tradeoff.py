"""Content similarity against style similarity, a dot for each network and control.

    python -m experiments.tradeoff                    # the options of experiments.table1

SSIM alone rewards doing nothing, and style distance alone copying the painting; a good network does
well in both. The line through a network's dot shows `alpha` below 1. Runs missing trainings and
evaluations; writes tradeoff.png, tradeoff.pdf and tradeoff.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from datnet.devices import choose_device
from datnet.evaluation.controls import CONTROLS
from datnet.evaluation.evaluate import results_folder
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.protocol import evaluate
from datnet.evaluation.row import Evaluation, ThisProcess
from datnet.evaluation.summary import Estimate
from datnet.evaluation.targets import Targets
from datnet.images.files import complete_or_absent, write_text
from datnet.zoo.network_file import load_network
from experiments.comparison import Comparison, compare
from experiments.options import argument_parser, run
from experiments.paper import ALL_TITLES
from experiments.plan import plan_of
from experiments.tables import as_json

ALPHAS = (0.25, 0.5, 0.75)
AXES = ("style_distance", "ssim")

Point = Mapping[str, Estimate]


def make_plot(arguments: argparse.Namespace) -> None:
    """Run missing trainings and evaluations, then plot."""
    comparison = compare(plan_of(arguments, list(ALL_TITLES)))
    device = choose_device()
    metrics = Metrics.pretrained().eval().to(device)
    shared = ThisProcess(Targets(metrics, comparison.plan.size, device))
    lines = {
        title: sweep_alpha(comparison, model, shared)
        for model, title in ALL_TITLES.items()
        if model in comparison.networks
    }
    controls = {
        summary.description: summary.metrics for summary in comparison.summaries[: len(CONTROLS)]
    }
    files = [comparison.plan.output / f"tradeoff.{suffix}" for suffix in ("png", "pdf")]
    for path in files:
        plot(lines, controls, comparison.plan.scale.caveat, path)
    report = {
        "alphas": [*ALPHAS, 1.0],
        "networks": {title: [_axes(point) for point in points] for title, points in lines.items()},
        "controls": {title: _axes(point) for title, point in controls.items()},
        "caveat": comparison.plan.scale.caveat,
        "protocol": comparison.summaries[0].protocol,
    }
    write_text(comparison.plan.output / "tradeoff.json", json.dumps(report, indent=2) + "\n")
    for path in [*files, comparison.plan.output / "tradeoff.json"]:
        print(f"wrote {path}")


def _axes(point: Point) -> dict[str, object]:
    return {key: as_json(point[key]) for key in AXES}


def sweep_alpha(comparison: Comparison, model: str, shared: ThisProcess) -> list[Point]:
    """Evaluate a model's first seed at each alpha.

    Args:
        comparison: The comparison.
        model: Name of the model.
        shared: Measures the pairs, with what all evaluations share.

    Returns:
        A point for each of :data:`ALPHAS`, then one for alpha 1 (the mean over seeds).
    """
    path = comparison.networks[model][0]
    device, metrics = shared.targets.device, shared.targets.metrics
    network = load_network(path).to(device)
    points: list[Point] = [
        evaluate(
            Evaluation(
                partial(network, alpha=alpha),
                comparison.plan.pairs,
                results_folder(comparison.plan.evaluation_folder, f"{model}-alpha_{alpha}", path),
                description=f"{model}, alpha {alpha}",
                size=comparison.plan.size,
            ),
            metrics,
            device,
            measurer=shared,
        ).metrics
        for alpha in ALPHAS
    ]
    return [*points, comparison.estimates(model)]


def plot(
    lines: Mapping[str, Sequence[Point]], controls: Mapping[str, Point], caveat: str, path: Path
) -> None:
    """Plot SSIM against style distance, with 95 % intervals at alpha 1.

    Args:
        lines: Points of each network, the one at alpha 1 last.
        controls: A point for each control.
        caveat: Its part before the colon is printed below the plot.
        path: A .png or .pdf file.
    """
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for title, points in lines.items():
        xs, ys = ([point[key].mean for point in points] for key in AXES)
        (line,) = axes.plot(xs, ys, linewidth=1, marker=".", markersize=3, alpha=0.7)
        last = points[-1]
        axes.errorbar(
            xs[-1],
            ys[-1],
            xerr=_error_bar(last["style_distance"]),
            yerr=_error_bar(last["ssim"]),
            fmt="o",
            markersize=7,
            elinewidth=0.8,
            capsize=2,
            color=line.get_color(),
            label=title,
        )
    for (title, point), marker in zip(controls.items(), "xP*", strict=True):
        axes.plot(
            point["style_distance"].mean,
            point["ssim"].mean,
            marker,
            color="black",
            markersize=8,
            label=title,
        )
    axes.set_xlabel("style distance (better: left)")
    axes.set_ylabel("SSIM with the content (better: up)")
    axes.set_xlim(left=min(0, axes.get_xlim()[0]))
    axes.grid(color="0.92")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.supxlabel(caveat.partition(":")[0], fontsize=7, color="0.4")
    with complete_or_absent(path) as unfinished:
        figure.savefig(unfinished, format=path.suffix[1:], dpi=200)


def _error_bar(estimate: Estimate) -> list[list[float]] | None:
    if estimate.ci95 is None:
        return None
    low, high = estimate.ci95
    return [[estimate.mean - low], [high - estimate.mean]]


if __name__ == "__main__":
    run(argument_parser("experiments.tradeoff", __doc__), make_plot)
