"""A figure of the channel attention's gates; needs Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datnet.errors import DatNetError
from datnet.images.files import complete_or_absent
from datnet.stylize.attention import ChannelGates

PHOTOGRAPH, PAINTING = "#0072b2", "#d55e00"
"""Blue and vermilion of the palette of Okabe and Ito, which the color-blind can tell apart."""

NAMED = 3
"""Number of channels named at either end."""


def gates_figure(gates: Sequence[ChannelGates], title: str, path: Path) -> None:
    """Plot the gates of all channels, level by level, relative to the mean of the level.

    Channels are sorted by the photograph's gate, so the left end is what channel attention lowers
    and the right end what it raises.

    Args:
        gates: The gates of each level.
        title: Title of the figure.
        path: Output file, ``.png`` or ``.pdf``.

    Raises:
        DatNetError: If the suffix is another one.
    """
    if path.suffix.lower() not in (".png", ".pdf"):
        raise DatNetError(f"{path}: a figure is written as .png or .pdf; change the suffix")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.75 * len(gates) + 1), dpi=128, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, parse_math=False)
    for axes, level in zip(np.atleast_1d(figure.subplots(len(gates))), gates, strict=True):
        order = level.photograph.argsort()
        channels = np.arange(len(order))
        mean_of_photograph, mean_of_painting = level.photograph.mean(), level.painting.mean()
        axes.axhline(1, color="#888888", linewidth=0.8)
        axes.scatter(
            channels,
            level.painting[order] / mean_of_painting,
            s=max(2.0, 500 / len(order)),
            color=PAINTING,
            label="painting",
            linewidths=0,
        )
        axes.plot(
            channels,
            level.photograph[order] / mean_of_photograph,
            color=PHOTOGRAPH,
            linewidth=1.8,
            label="photograph",
        )
        axes.set_xlim(-1, len(order))
        axes.set_xticks([])
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.set_ylabel("gate ÷ mean", fontsize=8)
        axes.tick_params(labelsize=8)
        lowest, highest = (
            ", ".join(str(channel) for channel in some) for some in (order[:NAMED], order[-NAMED:])
        )
        axes.set_xlabel(
            f"{len(order)} channels, sorted by the photograph's gate; "
            f"lowest: {lowest}; highest: {highest}",
            fontsize=8,
        )
        axes.set_title(
            f"{level.name}: mean gate {mean_of_photograph:.3f} (photograph), "
            f"{mean_of_painting:.3f} (painting); "
            f"correlation {correlation(level.photograph, level.painting):.2f}",
            fontsize=9,
            loc="left",
        )
    figure.axes[0].legend(fontsize=8, loc="upper left", ncols=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    with complete_or_absent(path) as unfinished:
        figure.savefig(unfinished, format=path.suffix.lower()[1:])


def correlation(some: np.ndarray, others: np.ndarray) -> float:
    """Correlation coefficient of two arrays ``(N,)``; 0 if one is constant."""
    if min(some.std(), others.std()) == 0:
        return 0.0
    return float(np.corrcoef(some, others)[0, 1])
