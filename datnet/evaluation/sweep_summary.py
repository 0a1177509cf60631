"""Results of a sweep: means and standard deviations over seeds, as table and plot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from omegaconf import OmegaConf

from datnet.errors import DatNetError, require_extra
from datnet.evaluation.markdown import aligned
from datnet.evaluation.metrics import METRICS
from datnet.images.files import complete_or_absent
from datnet.zoo.configs import flat_values, plain_values

COLUMNS = {f"final/{column.key}": column for column in METRICS}

SETTINGS_OF_PLACE = (
    "run_dir",
    "ckpt_path",
    "sweep",
    "group",
    "tags",
    "logger",
    "seed",
    "data.seed",
)
"""Settings that differ between runs but are not what a sweep compares."""


@dataclass(frozen=True)
class Run:
    """One run of a sweep.

    Attributes:
        folder: The run folder.
        settings: All settings, by names such as "model.recipe.learning_rate".
        metrics: Metrics after the last step, by names such as "final/ssim"; None if the run is not
            finished.
        steps: Steps done, according to its files.
    """

    folder: Path
    settings: Mapping[str, Any]
    metrics: Mapping[str, float] | None
    steps: int


@dataclass(frozen=True)
class Group:
    """Finished runs that differ only in their seeds.

    Attributes:
        settings: The settings that the sweep varies, with the values of these runs.
        runs: The runs.
    """

    settings: Mapping[str, Any]
    runs: Sequence[Run]

    def values(self, metric: str) -> list[float]:
        """Return a metric of each run that has it."""
        return [
            run.metrics[metric]
            for run in self.runs
            if run.metrics is not None and metric in run.metrics
        ]

    @property
    def title(self) -> str:
        """The settings on one line."""
        return ", ".join(
            str(value) if key == "name" else f"{key.rpartition('.')[2]} {value}"
            for key, value in self.settings.items()
        )


def read_runs(sweep_dir: Path) -> list[Run]:
    """Read all runs in a folder and in its subfolders of runs.

    Raises:
        DatNetError: If there are none.
    """
    runs = []
    # Not deeper: a run folder may contain wandb's folders, with files of the same name.
    for config in sorted({*sweep_dir.glob("*/config.yaml"), *sweep_dir.glob("*/*/config.yaml")}):
        folder = config.parent
        if any(part.startswith(".") for part in folder.relative_to(sweep_dir).parts):
            continue  # Hydra's own files
        finished = folder / "finished.json"
        facts = json.loads(finished.read_text()) if finished.exists() else {}
        runs.append(
            Run(
                folder,
                flat_values(plain_values(OmegaConf.load(config))),
                facts.get("metrics"),
                facts.get("steps") or _last_logged_step(folder / "metrics.csv"),
            )
        )
    if not runs:
        raise DatNetError(
            f"{sweep_dir} holds no runs; give the folder of a sweep, such as sweeps/ablation"
        )
    return runs


def varied_settings(runs: Sequence[Run]) -> list[str]:
    """Return the names of settings in which runs differ, except seeds.

    If several settings change together, as a network's settings with its name, only the first is
    returned.
    """
    names = sorted({name for run in runs for name in run.settings}, key=lambda n: (n != "name", n))
    partitions: dict[tuple[int, ...], str] = {}
    for name in names:
        values = [repr(run.settings.get(name)) for run in runs]
        partition = tuple(values.index(value) for value in values)
        if len(set(values)) > 1 and not name.startswith(SETTINGS_OF_PLACE):
            partitions.setdefault(partition, name)
    varied = list(partitions.values())
    if "name" in varied:  # settings that follow from the network's name are redundant
        varied = [
            name
            for name in varied
            if name == "name" or not name.startswith("model.") or not _follows(runs, name, "name")
        ]
    return varied


def groups_of(runs: Sequence[Run]) -> list[Group]:
    """Group finished runs that differ only in their seeds."""
    finished = [run for run in runs if run.metrics is not None]
    varied = varied_settings(runs)
    together: dict[str, list[Run]] = {}
    for run in finished:
        together.setdefault(repr([run.settings.get(name) for name in varied]), []).append(run)
    return [
        Group({name: members[0].settings.get(name) for name in varied}, members)
        for members in together.values()
    ]


def metric_names(groups: Sequence[Group]) -> list[str]:
    """Return the names of all metrics that any run has."""
    return sorted({name for group in groups for run in group.runs for name in run.metrics or {}})


def default_metrics(groups: Sequence[Group]) -> list[str]:
    """Return Table 3's metrics, the style distance and, for runs of one objective, the loss."""
    known = metric_names(groups)
    wanted = ("final/ssim", "final/lpips_alex", "final/psnr", "final/style_distance")
    objectives = {
        repr(
            [
                item
                for item in run.settings.items()
                if item[0].startswith(("model.objective.", "objective."))
            ]
        )
        for group in groups
        for run in group.runs
    }
    loss = ["validation/loss"] if len(objectives) == 1 else []
    return [name for name in (*wanted, *loss) if name in known]


def table(groups: Sequence[Group], metrics: Sequence[str]) -> str:
    """Return means ± standard deviations over seeds as a Markdown table.

    Args:
        groups: The finished runs.
        metrics: The metrics to show.

    Returns:
        The table, with a row per group.
    """
    rows = [[*groups[0].settings, "seeds", *(_label(metric) for metric in metrics)]]
    for group in groups:
        rows.append(
            [
                *(str(value) for value in group.settings.values()),
                str(len(group.runs)),
                *(_mean_and_deviation(metric, group.values(metric)) for metric in metrics),
            ]
        )
    return aligned(rows)


def csv_text(groups: Sequence[Group]) -> str:
    """Return all metrics of all runs at full precision, as CSV."""
    names = metric_names(groups)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*groups[0].settings, "seed", "steps", *names, "folder"])
    for group in groups:
        for run in group.runs:
            values = [(run.metrics or {}).get(name, "") for name in names]
            writer.writerow(
                [
                    *group.settings.values(),
                    run.settings.get("seed"),
                    run.steps,
                    *values,
                    run.folder.name,
                ]
            )
    return text.getvalue()


def plot(groups: Sequence[Group], metrics: Sequence[str], path: Path) -> None:
    """Plot a panel per metric: a dot per seed, and the mean with its standard deviation.

    Args:
        groups: The finished runs.
        metrics: The metrics to plot.
        path: A .png or .pdf file.

    Raises:
        DatNetError: If Matplotlib is not installed.
    """
    require_extra("figures")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(1.2 + 2.6 * len(metrics), 1.4 + 0.42 * len(groups)), layout="constrained"
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for axes, metric in zip(panels, metrics, strict=True):
        for row, group in enumerate(groups):
            values = group.values(metric)
            if not values:
                continue
            spread = stdev(values) if len(values) > 1 else 0.0
            axes.errorbar(
                fmean(values), row, xerr=spread, fmt="|", color="C0", markersize=14, capsize=3
            )
            axes.plot(values, [row] * len(values), "o", color="C0", alpha=0.45, markersize=4)
        axes.set_title(_label(metric), fontsize=9)
        axes.grid(axis="x", color="0.92")
        axes.tick_params(labelsize=8)
    panels[0].set_yticks(range(len(groups)), [group.title for group in groups], fontsize=8)
    panels[0].invert_yaxis()
    panels[0].margins(y=0.15)
    with complete_or_absent(path) as unfinished:
        figure.savefig(unfinished, format=path.suffix[1:], dpi=200)


def _follows(runs: Sequence[Run], name: str, other: str) -> bool:
    """Whether the value of another setting determines that of a setting."""
    pairs = {(repr(run.settings.get(other)), repr(run.settings.get(name))) for run in runs}
    return len(pairs) == len({first for first, _ in pairs})


def _label(metric: str) -> str:
    column = COLUMNS.get(metric)
    return f"{column.label} {column.arrow}" if column else f"{metric} ↓"


def _mean_and_deviation(metric: str, values: Sequence[float]) -> str:
    if not values:
        return "–"
    column = COLUMNS.get(metric)
    decimals = column.decimals if column else 2
    mean = f"{fmean(values):.{decimals}f}"
    return f"{mean} ± {stdev(values):.{decimals}f}" if len(values) > 1 else mean


def _last_logged_step(path: Path) -> int:
    if not path.exists():
        return 0
    with path.open(newline="", encoding="utf-8") as file:
        return max((int(row["step"]) for row in csv.DictReader(file)), default=0)
