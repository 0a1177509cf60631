"""Plots of a report, as SVG for a page."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from datnet.errors import require_extra
from datnet.evaluation.metrics import Column
from datnet.evaluation.report.data import Row
from datnet.evaluation.spread import means_by_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#1a5fb4", "#c64600", "#26804a", "#813d9c", "#a51d2d", "#8a6d00", "#00757f", "#63452c")
"""Distinct on white and at least 4.5 : 1 in contrast."""

GRAY = "#6b6b66"
MARKERS = "osD^vP*X"


def quality_against_style(rows: Sequence[Row], style: Column, content: Column) -> str:
    """Plot a metric of content against one of style, one point a row with both intervals."""
    figure, axes = _figure(6.4, 4.2)
    for number, row in enumerate(rows):
        x, y = (row.summary.metrics[column.key] for column in (style, content))
        if not (math.isfinite(x.mean) and math.isfinite(y.mean)):
            continue
        axes.errorbar(
            x.mean,
            y.mean,
            xerr=_distances(x.mean, x.ci95),
            yerr=_distances(y.mean, y.ci95),
            color=GRAY if row.is_control else COLORS[number % len(COLORS)],
            marker=MARKERS[number % len(MARKERS)],
            capsize=2,
            linewidth=1,
            label=row.title,
        )
    axes.set_xlabel(f"{style.label} {style.arrow}")
    axes.set_ylabel(f"{content.label} {content.arrow}")
    axes.legend(frameon=False, fontsize=9, loc="best")
    return _svg(figure)


def spread(rows: Sequence[Row], column: Column) -> str:
    """Plot the means over photographs and over paintings, one point a picture."""
    figure, *both = _figure(7.6, 0.9 + 0.42 * len(rows), columns=2)
    titles = ("photographs", "paintings")
    for axes, title, position in zip(both, titles, range(2), strict=True):
        for number, row in enumerate(rows):
            means = list(means_by_picture(row.values, column.key)[position].values())
            color = COLORS[number % len(COLORS)]
            axes.plot(means, [number] * len(means), "o", color=color, alpha=0.55, markersize=5)
            axes.plot(sum(means) / len(means), number, "|", color="black", markersize=16)
        axes.set_title(f"one point for each of the {title}", fontsize=10)
        axes.set_xlabel(f"{column.label} {column.arrow}")
        axes.set_yticks(range(len(rows)), [row.title for row in rows] if position == 0 else [])
        axes.set_ylim(len(rows) - 0.5, -0.5)
    return _svg(figure)


def seconds(cost: Mapping[str, Any]) -> str:
    """Plot the seconds for one image against its size.

    Args:
        cost: The JSON that `datnet benchmark` writes.
    """
    figure, axes = _figure(6.4, 3.8)
    for number, name in enumerate(cost["networks"]):
        timed = [
            (each["size"], each["seconds"]["median"])
            for each in cost["measurements"]
            if each["network"] == name and each["seconds"]
        ]
        if timed:
            axes.plot(
                *zip(*timed, strict=True),
                color=COLORS[number % len(COLORS)],
                marker=MARKERS[number % len(MARKERS)],
                label=name,
            )
    sizes = cost["settings"]["sizes"]
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size}²" for size in sizes])
    axes.set_xlabel("pixels")
    axes.set_ylabel("seconds for one image")
    axes.legend(frameon=False, fontsize=9)
    return _svg(figure)


def _distances(mean: float, ci95: tuple[float, float] | None) -> list[list[float]] | None:
    """Return the lengths of error bars; a percentile interval may leave out the mean."""
    if ci95 is None:
        return None
    return [[max(0.0, mean - ci95[0])], [max(0.0, ci95[1] - mean)]]


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, ...]:
    require_extra("figures")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes: list[Axes] = list(figure.subplots(1, columns, squeeze=False, sharex=True)[0])
    for each in axes:
        each.grid(color="#e2e2de", linewidth=0.6)
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
    return figure, *axes


def _svg(figure: Figure) -> str:
    """Return a figure as SVG, without what belongs to a file of its own."""
    from matplotlib import rc_context

    text = io.StringIO()
    # Letters stay text; a fixed salt gives the same names of parts at every call.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "datnet"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    return re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', _opening, svg, count=1)


def _opening(found: re.Match[str]) -> str:
    """Let the page decide about the width; its caption describes the figure."""
    return (
        f'<svg viewBox="{found[1]}" xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" aria-hidden="true">'
    )
