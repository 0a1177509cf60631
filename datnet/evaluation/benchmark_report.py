"""Results of :mod:`datnet.evaluation.benchmark` as tables, CSV and plots."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from datnet.errors import require_extra
from datnet.evaluation.machine import sentence_of_machine
from datnet.evaluation.markdown import aligned
from datnet.images.files import complete_or_absent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNITS = """\
M: millions of parameters, including the parts of the frozen encoder that are used. G: billions of
multiply-adds (MACs) for an image at 256 × 256; a multiply-add is one, torch's FLOPs are twice that.
Times are medians with quartiles for stylizing one image, including the encoding of content and
style; "style encoded" leaves the style's encoding out. Memory is the peak beyond the weights
(4 bytes per parameter). × AdaIN is the median of the ratios within a turn."""
MARKERS = "osD^v<>PX*hp"


def tables(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown tables with aligned columns.

    Args:
        report: From :meth:`~datnet.evaluation.benchmark.Benchmark.report`.
    """
    parts = [
        aligned(network_rows(report)),
        aligned(part_rows(report)),
        *(
            f"{size} × {size} pixels:\n\n{aligned(measurement_rows(report, size))}"
            for size in report["settings"]["sizes"]
        ),
        UNITS,
        sentence_of_settings(report),
    ]
    return "\n\n".join(parts)


def sentence_of_settings(report: Mapping[str, Any]) -> str:
    """Return the settings and the machine in one line."""
    settings = report["settings"]
    plural = "s" if settings["runs"] != 1 else ""
    return (
        f"{settings['runs']} run{plural} in turns after {settings['warmup']} for warm-up · "
        f"batch {settings['batch']} · {settings['dtype']} · "
        f"{sentence_of_machine(report['machine'])}"
    )


def network_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Return a row per network: encoder, parameters and multiply-adds."""
    rows = [["", "encoder", "Params (M)", "Trainable (M)", "MACs (G) at 256²"]]
    for title, network in report["networks"].items():
        millions = [f"{network[key] / 1e6:.3f}" for key in ("parameters", "trainable")]
        rows.append(
            [title, network["encoder"] or "none", *millions, format_giga(network["multiply_adds"])]
        )
    return rows


def part_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Return a row per network: parameters by part."""
    rows = [["", "parameters by part"]]
    for title, network in report["networks"].items():
        parts = (f"{part} {count:,}" for part, count in network["by_part"].items())
        rows.append([title, " · ".join(parts)])
    return rows


def measurement_rows(
    report: Mapping[str, Any], size: int, titles: Mapping[str, str] | None = None
) -> list[list[str]]:
    """Return a row per network: time and memory at one size, or the problem.

    Args:
        report: From :meth:`~datnet.evaluation.benchmark.Benchmark.report`.
        size: Side of the images in pixels.
        titles: Titles of the networks; by default their names.

    Returns:
        The header and the rows, without columns that would be empty.
    """
    with_ratio = any(m["ratio_to_adain"] is not None for m in report["measurements"])
    header = ["", "s", "quartiles", "s, style encoded", "MiB", "× AdaIN", "problem"]
    rows = [header]
    for measurement in report["measurements"]:
        if measurement["size"] == size:
            seconds = measurement["seconds"]
            quartiles = seconds and (
                f"{format_seconds(seconds['lower_quartile'])} "
                f"to {format_seconds(seconds['upper_quartile'])}"
            )
            rows.append(
                [
                    (titles or {}).get(measurement["network"], measurement["network"]),
                    format_median(seconds),
                    quartiles or "–",
                    format_median(measurement["seconds_style_encoded"]),
                    format_mebibytes(measurement["peak_bytes"]),
                    format_ratio(measurement["ratio_to_adain"]),
                    measurement["problem"] or "",
                ]
            )
    left_out = set() if with_ratio else {"× AdaIN"}
    if not any(row[-1] for row in rows[1:]):
        left_out.add("problem")
    kept = [i for i, title in enumerate(header) if title not in left_out]
    return [[row[i] for i in kept] for row in rows]


def format_seconds(seconds: float) -> str:
    """Format with three significant digits and no exponent."""
    digits = 2 - math.floor(math.log10(seconds)) if seconds > 0 else 0
    return f"{seconds:.{max(0, digits)}f}"


def format_median(seconds: Mapping[str, Any] | None) -> str:
    """Format the median of a summary of runs, or a dash."""
    return "–" if seconds is None else format_seconds(seconds["median"])


def format_mebibytes(count: int | None) -> str:
    """Format bytes as MiB, or a dash."""
    return "–" if count is None else f"{count / 2**20:,.0f}"


def format_giga(count: int | None) -> str:
    """Format a count in billions, or a dash."""
    return "–" if count is None else f"{count / 1e9:.2f}"


def format_ratio(ratio: float | None) -> str:
    """Format a ratio with two decimals, or a dash."""
    return "–" if ratio is None else f"{ratio:.2f}"


def csv_text(report: Mapping[str, Any]) -> str:
    """Return the report as CSV: a row per network and size, each with the machine."""
    rows = []
    for measurement in report["measurements"]:
        network = report["networks"][measurement["network"]]
        row: dict[str, Any] = {
            "network": measurement["network"],
            "size": measurement["size"],
            **{key: network[key] for key in ("class", "encoder", "parameters", "trainable")},
            "by_part": " ".join(f"{part}={count}" for part, count in network["by_part"].items()),
            "multiply_adds_256": network["multiply_adds"],
        }
        for key in ("seconds", "seconds_style_encoded"):
            values = measurement[key] or {}
            row[key] = values.get("median")
            row[f"{key}_lower_quartile"] = values.get("lower_quartile")
            row[f"{key}_upper_quartile"] = values.get("upper_quartile")
            row[f"{key}_runs"] = " ".join(f"{second:.6g}" for second in values.get("runs", []))
        for key in ("peak_bytes", "peak_source", "ratio_to_adain", "problem"):
            row[key] = measurement[key]
        row |= {key: report["settings"][key] for key in ("warmup", "runs", "dtype", "batch")}
        row |= report["machine"]
        rows.append(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def plot(report: Mapping[str, Any], path: Path, titles: Mapping[str, str] | None = None) -> None:
    """Plot time and memory against resolution on logarithmic axes, one line per network.

    Args:
        report: From :meth:`~datnet.evaluation.benchmark.Benchmark.report`.
        path: A .png or .pdf file.
        titles: Titles of the networks in the legend; by default their names.
    """
    require_extra("figures")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    time_axes, memory_axes = figure.subplots(1, 2)
    for number, name in enumerate(report["networks"]):
        own = [m for m in report["measurements"] if m["network"] == name]
        style = {
            "color": f"C{number % 10}",
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": "-" if number < 10 else "--",
            "markersize": 4,
            "linewidth": 1.2,
            "label": (titles or {}).get(name, name),
        }
        timed = [m for m in own if m["seconds"]]
        medians = [m["seconds"]["median"] for m in timed]
        below = [m["seconds"]["median"] - m["seconds"]["lower_quartile"] for m in timed]
        above = [m["seconds"]["upper_quartile"] - m["seconds"]["median"] for m in timed]
        time_axes.errorbar(
            [m["size"] for m in timed], medians, yerr=[below, above], capsize=2, **style
        )
        weighed = [m for m in own if m["peak_bytes"]]
        memory_axes.plot(
            [m["size"] for m in weighed], [m["peak_bytes"] / 2**20 for m in weighed], **style
        )
    time_axes.set_title("seconds per image", fontsize=10)
    memory_axes.set_title("peak memory beyond the weights (MiB)", fontsize=10)
    for axes in (time_axes, memory_axes):
        _finish_axes(axes, report["settings"]["sizes"])
    handles = time_axes.get_legend_handles_labels()
    figure.legend(*handles, frameon=False, fontsize=8, loc="outside right center")
    figure.supxlabel(sentence_of_machine(dict(report["machine"])), fontsize=7, color="0.4")
    with complete_or_absent(path) as unfinished:
        figure.savefig(unfinished, format=path.suffix[1:], dpi=200)


def _finish_axes(axes: Axes, sizes: Sequence[int]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    if not any(np.size(line.get_xdata()) for line in axes.get_lines()):
        axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes)
        return
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks(sizes, [f"{size}²" for size in sizes], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_xlabel("content and style, pixels")
    axes.grid(color="0.92", which="both")
