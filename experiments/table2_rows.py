"""Rows of Table 2: ours beside the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datnet.evaluation.benchmark_report import (
    format_giga,
    format_mebibytes,
    format_median,
    format_ratio,
)
from experiments.paper import ALL_TITLES, TABLE_2
from experiments.tables import rank_correlation


def title(network: str) -> str:
    """Return a network's title in papers, or its name in conf/model; a number of steps is kept."""
    name, comma, steps = network.partition(",")
    return ALL_TITLES.get(name, name) + comma + steps


def titles(report: Mapping[str, Any]) -> dict[str, str]:
    """Return the titles of a report's networks by name."""
    return {name: title(name) for name in report["networks"]}


def size_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Return a row per network: parameters and multiply-adds, ours and the paper's."""
    rows = [["", "Params (M)", "Trainable (M)", "paper", "MACs (G)", "paper"]]
    for name, network in report["networks"].items():
        rows.append(
            [
                title(name),
                f"{network['parameters'] / 1e6:.2f}",
                f"{network['trainable'] / 1e6:.2f}",
                published(name, "parameters"),
                format_giga(network["multiply_adds"]),
                published(name, "multiply_adds"),
            ]
        )
    return rows


def published(network: str, key: str) -> str:
    """Format a value of the paper's table with its decimals, or a dash.

    Args:
        network: Name of the network.
        key: Key in :data:`~experiments.paper.TABLE_2`.

    Returns:
        The text; a dash if the paper does not have the network.
    """
    if network not in TABLE_2:
        return "–"
    return f"{TABLE_2[network][key]:.{3 if key.startswith('seconds') else 2}f}"


def time_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Return a row per network: seconds, growth and ratio to AdaIN, ours and the paper's."""
    header = ["", "s at 256²", "paper", "s at 512²", "paper", "growth", "paper"]
    header += ["× AdaIN at 256²", "paper", "× AdaIN at 512²", "paper"]
    rows = [header]
    columns: dict[str, list[tuple[float, float]]] = {"growth": [], "256": [], "512": []}
    for name in report["networks"]:
        small, large = (measurement_of(report, name, size) for size in (256, 512))
        ours = {
            "growth": growth(small, large),
            "256": small and small["ratio_to_adain"],
            "512": large and large["ratio_to_adain"],
        }
        paper = papers_ratios(name)
        row = [title(name)]
        for size, measurement in ((256, small), (512, large)):
            row += [
                format_median(measurement and measurement["seconds"]),
                published(name, f"seconds_{size}"),
            ]
        for key, of_paper in paper.items():
            row += [format_ratio(ours[key]), format_ratio(of_paper)]
            if ours[key] is not None and of_paper is not None:
                columns[key].append((ours[key], of_paper))
        rows.append(row)
    last = ["ρ with the paper", *[""] * 4]
    for pairs in columns.values():
        correlation = rank_correlation(*zip(*pairs, strict=True)) if pairs else None
        last += ["–" if correlation is None else f"{correlation:+.2f}", ""]
    return [*rows, last]


def papers_ratios(network: str) -> dict[str, float | None]:
    """Return the paper's growth from 256² to 512² and its ratios to AdaIN."""
    if network not in TABLE_2:
        return {"growth": None, "256": None, "512": None}
    own, adain = TABLE_2[network], TABLE_2["adain"]
    return {
        "growth": own["seconds_512"] / own["seconds_256"],
        "256": own["seconds_256"] / adain["seconds_256"],
        "512": own["seconds_512"] / adain["seconds_512"],
    }


def measurement_of(report: Mapping[str, Any], network: str, size: int) -> Any:
    """Find the measurement of a network at a size.

    Args:
        report: From :meth:`~datnet.evaluation.benchmark.Benchmark.report`.
        network: Name of the network.
        size: Side of the images in pixels.

    Returns:
        The measurement; None if the size was not measured.
    """
    return next(
        (m for m in report["measurements"] if (m["network"], m["size"]) == (network, size)), None
    )


def growth(small: Mapping[str, Any] | None, large: Mapping[str, Any] | None) -> float | None:
    """Ratio of the times for two sizes.

    Args:
        small: Measurement at the smaller size.
        large: Measurement at the larger size.

    Returns:
        Larger over smaller; None if one has no times.
    """
    if not (small and large and small["seconds"] and large["seconds"]):
        return None
    ratio: float = large["seconds"]["median"] / small["seconds"]["median"]
    return ratio


def memory_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Return a row per network: peak memory, and seconds without encoding the style."""
    rows = [["", "MiB at 256²", "MiB at 512²", "s, style encoded, at 256²", "… at 512²"]]
    for name in report["networks"]:
        both = [measurement_of(report, name, size) for size in (256, 512)]
        rows.append(
            [
                title(name),
                *(format_mebibytes(m and m["peak_bytes"]) for m in both),
                *(format_median(m and m["seconds_style_encoded"]) for m in both),
            ]
        )
    return rows
