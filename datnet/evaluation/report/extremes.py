"""The worst and best pairs of a report, with pictures."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

from datnet.evaluation.report import html
from datnet.evaluation.report.data import ReportData, Row
from datnet.evaluation.spread import best, worst
from datnet.evaluation.summary import format_number
from datnet.images.tensors import read_square, to_image

PICTURE_SIDE = 224
"""Side of pictures in a report, in pixels."""

EXTREMES = 3


def extremes(data: ReportData) -> list[str]:
    """Return the pairs of each network that are worst in style, worst in content, and best."""
    if data.style is None or data.content is None:
        return []
    parts = []
    for row in data.networks:
        files_of = _files(row, data)
        kinds = {
            f"{row.title}: worst in style ({data.style.label})": worst(
                row.values, data.style, EXTREMES
            ),
            f"{row.title}: worst in content ({data.content.label})": worst(
                row.values, data.content, EXTREMES
            ),
            f"{row.title}: best in both": best(row.values, [data.style, data.content], EXTREMES),
        }
        for title, chosen in kinds.items():
            cards = [_card(row, names, data, files_of) for names in chosen]
            parts.append(f'<h3>{escape(title)}</h3><div class="cards">{"".join(cards)}</div>')
    if parts and not all(_files(row, data) for row in data.networks):
        parts.append(
            html.paragraph(
                "Results are shown of evaluations with --save-images, whose photographs and "
                "paintings are in the folders --content and --style.",
                "quiet",
            )
        )
    return parts


def _files(row: Row, data: ReportData) -> dict[tuple[str, str], Path]:
    """Return the saved results by names; empty if there are none."""
    if not data.pairs or not (row.evaluation.folder / "images").is_dir():
        return {}
    files_in_order = row.evaluation.result_files(list(data.pairs.values()))
    return dict(zip(data.pairs, files_in_order, strict=True))


def _card(
    row: Row, names: tuple[str, str], data: ReportData, results: Mapping[tuple[str, str], Path]
) -> str:
    values = row.values[names]
    numbers = ", ".join(
        f"{column.label} {format_number(values[column.key], column.decimals)}"
        for column in (data.style, data.content)
        if column is not None
    )
    caption = f"{names[0]} with {names[1]}: {numbers}"
    pictures = ""
    if results:
        content, style = (
            html.embedded(to_image(read_square(path, PICTURE_SIDE)[0]), f"{kind} {path.name}")
            for kind, path in zip(("photograph", "painting"), data.pairs[names], strict=True)
        )
        result = html.image(results[names], PICTURE_SIDE, f"result of {row.title}")
        pictures = f'<div class="three">{content}{style}{result}</div>'
    return f'<figure class="card">{pictures}<figcaption>{escape(caption)}</figcaption></figure>'
