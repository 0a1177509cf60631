"""Puts a report together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from datnet.evaluation.chosen import Chosen
from datnet.evaluation.differences import EXPLANATION, differences, verdict
from datnet.evaluation.metrics import SET_METRICS, Column, pair_metrics
from datnet.evaluation.protocol import protocol_text
from datnet.evaluation.report import html, plots
from datnet.evaluation.report.data import ReportData
from datnet.evaluation.report.extremes import extremes
from datnet.evaluation.seeds import EXPLANATION as OF_SEEDS
from datnet.evaluation.seeds import seed_groups, seeds_rows
from datnet.evaluation.spread import variance_shares
from datnet.evaluation.summary import EvaluationSummary, format_estimate

HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
      content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
"""


def report_page(data: ReportData, title: str, cost: Mapping[str, Any] | None = None) -> str:
    """Return the whole page; it asks for nothing from other machines.

    Args:
        data: What it is about.
        title: Its heading.
        cost: The JSON that `datnet benchmark` writes.
    """
    sections = {
        "means": ("Means", means(data)),
        "differences": ("Paired differences", paired_differences(data)),
        "seeds": ("Several seeds", several_seeds(data)),
        "tradeoff": ("Content against style", tradeoff(data)),
        "time": ("Time", time_of(cost)),
        "spread": ("Spread over pictures", spread_of(data)),
        "pairs": ("Weakest, strongest and best pairs", extremes(data)),
        "metrics": ("Metrics", metrics_used(data)),
        "settings": ("Settings", settings_of(data)),
    }
    shown = {name: each for name, each in sections.items() if any(each[1])}
    style = files("datnet.evaluation.report").joinpath("page.css").read_text(encoding="utf-8")
    links = "".join(f'<li><a href="#{name}">{each[0]}</a></li>' for name, each in shown.items())
    body = "\n".join(html.section(name, each[0], *each[1]) for name, each in shown.items())
    return (
        f"{HEAD}<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n{measured(data)}\n"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n{body}\n</main>\n</body>\n</html>\n'
    )


def measured(data: ReportData) -> str:
    """Return how everything was measured: in short, and in full on demand."""
    first = data.rows[0]
    size, hashed = first.evaluation.size, _hashed(data)
    names = ", ".join(row.title for row in data.networks)
    short = f"{names}: {len(first.values)} results each at {size} × {size} pixels."
    if hashed is not None and hashed.protocol_name:
        short += f" Protocol {hashed.protocol_name}, SHA-256 {hashed.protocol_sha256[:12]}…"
    return (
        f"{html.paragraph(short)}<details><summary>How it was measured, in one sentence"
        f"</summary>{html.paragraph(sentence(data))}</details>"
    )


def sentence(data: ReportData) -> str:
    """Return the protocol with its hashes."""
    first = data.rows[0]
    of_pairs = [metric for metric in pair_metrics() if metric in data.metrics]
    of_sets = [column for column in SET_METRICS if _have(data, column)]
    pairs = [(Path(content), Path(style)) for content, style in first.values]
    text = protocol_text(
        pairs,
        first.evaluation.size,
        str(first.evaluation.settings["encoder"]),
        Chosen(tuple(of_pairs), tuple(of_sets)),
    )
    summary = _hashed(data)
    if summary is not None:
        name = f"Protocol {summary.protocol_name}" if summary.protocol_name else "Protocol"
        text += f" {name}, SHA-256 {summary.protocol_sha256}."
    return f"{text} SHA-256 of pairs and pictures {first.summary.pictures}."


def _hashed(data: ReportData) -> EvaluationSummary | None:
    """Return a summary with the hash of the protocol; all that have one have the same."""
    return next((row.summary for row in data.rows if row.summary.protocol_sha256), None)


def means(data: ReportData) -> list[str]:
    """Return the table of means with intervals."""
    columns = [*data.metrics, *(column for column in SET_METRICS if _have(data, column))]
    rows = [["", *map(_heading, columns)]]
    for row in data.rows:
        estimates = row.summary.estimates()
        cells = [
            format_estimate(estimate, column.decimals)
            if (estimate := estimates[column.key])
            else "–"
            for column in columns
        ]
        rows.append([row.title, *cells])
    notes = "† is a training loss of networks here, see Metrics. " if _trained(columns) else ""
    controls = (
        "The controls do nothing, copy the painting, or change colors only: a metric that ranks "
        "one of them first says nothing alone."
    )
    shown = controls if any(row.is_control for row in data.rows) else ""
    return [html.table(rows, "Means with intervals"), html.paragraph(notes + shown, "quiet")]


def paired_differences(data: ReportData) -> list[str]:
    """Return the table of differences from the first network."""
    if len(data.networks) < 2:
        return []
    first, *others = data.networks
    rows = [["", *(f"{other.title} − {first.title}" for other in others)]]
    changes = [differences(first.values, other.values) for other in others]
    for column in data.metrics:
        cells = [
            f"{format_estimate(change[column.key], column.decimals)} "
            f"{verdict(column, change[column.key])}"
            for change in changes
        ]
        rows.append([_heading(column), *cells])
    return [html.table(rows, "Paired differences"), html.paragraph(EXPLANATION, "quiet")]


def several_seeds(data: ReportData) -> list[str]:
    """Return the table of networks with several seeds."""
    groups = seed_groups([row.evaluation for row in data.networks])
    if not groups:
        return []
    return [html.table(seeds_rows(groups), "Several seeds"), html.paragraph(OF_SEEDS, "quiet")]


def tradeoff(data: ReportData) -> list[str]:
    """Return the plot of content against style."""
    if data.style is None or data.content is None:
        return []
    caption = (
        f"{data.content.label} against {data.style.label}, with 95 % intervals over pictures; gray "
        "are controls. The numbers are in the table of means."
    )
    return [html.figure(plots.quality_against_style(data.rows, data.style, data.content), caption)]


def time_of(cost: Mapping[str, Any] | None) -> list[str]:
    """Return the plot and the table of a benchmark."""
    if cost is None:
        return []
    from datnet.evaluation.benchmark_report import measurement_rows, sentence_of_settings

    caption = f"Median seconds to stylize one image. {sentence_of_settings(cost)}."
    tables = [
        html.table(measurement_rows(cost, size), f"{size} × {size} pixels")
        for size in cost["settings"]["sizes"]
    ]
    return [html.figure(plots.seconds(cost), caption), *tables]


def spread_of(data: ReportData) -> list[str]:
    """Return the spread over photographs and paintings, and whose the variance is."""
    parts = []
    networks = data.networks
    for column in (data.style, data.content):
        if column is not None and networks and len(data.rows[0].values) > 1:
            caption = (
                f"{column.label} of each network: one point for the mean over all paintings of a "
                "photograph (left), and over all photographs of a painting (right); the bar is "
                "the mean."
            )
            parts.append(html.figure(plots.spread(networks, column), caption))
    rows = shares_rows(data)
    if rows:
        parts.append("<h3>Whose the variance is</h3>")
        parts.append(html.table(rows, "Shares of the variance"))
        parts.append(
            html.paragraph(
                "Shares of the variance over all results: how much is explained by which network, "
                "photograph or painting it is, and by their combinations; the rest belongs to "
                "single results. Estimates of crossed random effects; rough with few pictures or "
                "networks.",
                "quiet",
            )
        )
    return parts


def shares_rows(data: ReportData) -> list[list[str]]:
    """Return the rows of the table of variance shares; empty if they are not defined."""
    if not data.networks:
        return []
    by_metric = {
        column: shares
        for column in data.metrics
        if (shares := variance_shares([row.values for row in data.networks], column.key))
    }
    if not by_metric:
        return []
    parts = list(next(iter(by_metric.values())))
    return [
        ["", *parts],
        *(
            [column.label, *(f"{100 * shares[part]:.0f} %" for part in parts)]
            for column, shares in by_metric.items()
        ),
    ]


def metrics_used(data: ReportData) -> list[str]:
    """Return what each metric is, where it comes from and who is trained on it."""
    columns = [*data.metrics, *(column for column in SET_METRICS if _have(data, column))]
    rows = [["", "how it is measured", "source", "training loss of"]]
    rows += [
        [_heading(column), column.words, column.source, column.trained_on or "none"]
        for column in columns
    ]
    return [html.table(rows, "Metrics", "words")]


def settings_of(data: ReportData) -> list[str]:
    """Return what is known about the networks and about the code that measured them."""
    rows = [["", "file", "SHA-256", "class", "encoder", "steps", "images a step", "seed", "commit"]]
    for row in data.networks:
        network = row.evaluation.network
        if not network:
            continue
        training = network["training"]
        facts = [
            network["file"],
            network["sha256"],
            network["network"]["_target_"],
            network["encoder"].get("arch", "none"),
            *(training.get(key) for key in ("steps", "images_per_step", "seed", "commit")),
        ]
        rows.append([row.title, *("–" if fact is None else str(fact) for fact in facts)])
    versions = sorted(
        {f"{name} {version}" for row in data.rows for name, version in row.summary.versions.items()}
    )
    return [
        html.table(rows, "Networks") if len(rows) > 1 else "",
        html.paragraph(f"Measured with {', '.join(versions)}.", "quiet"),
    ]


def _heading(column: Column) -> str:
    return f"{column.label} {column.arrow}" + (" †" if column.trained_on else "")


def _trained(columns: Sequence[Column]) -> bool:
    return any(column.trained_on for column in columns)


def _have(data: ReportData, column: Column) -> bool:
    """Whether all rows have a value of a set metric."""
    values = [row.summary.set_metrics.get(column.key) for row in data.rows]
    return all(value is not None and math.isfinite(value) for value in values)
