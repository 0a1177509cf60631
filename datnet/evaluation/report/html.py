"""Pieces of HTML."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image

QUALITY = 85


def table(rows: Sequence[Sequence[str]], caption: str, kind: str = "") -> str:
    """Return a table that scrolls within the page.

    Args:
        rows: Cells as text; the first row and the first column are headers.
        caption: What it shows, for screen readers.
        kind: Its CSS class.
    """
    header, *body = rows
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    lines = [
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{_cell(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in body
    ]
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody>'
        "</table></div>"
    )


def _cell(text: str) -> str:
    """Return a cell; an interval in brackets is less loud than its mean."""
    mean, bracket, rest = text.partition(" [")
    return f"{escape(mean)} <small>[{escape(rest)}</small>" if bracket else escape(text)


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>'


def section(name: str, title: str, *parts: str) -> str:
    """Return a section with an anchor; empty if it has no parts."""
    inside = "\n".join(part for part in parts if part)
    if not inside:
        return ""
    return f'<section id="{name}">\n<h2>{escape(title)}</h2>\n{inside}\n</section>'


def figure(svg: str, caption: str) -> str:
    """Return a plot with its caption."""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def image(path: Path, side: int, description: str) -> str:
    """Return a picture inside the page, as JPEG of at most a given side."""
    with Image.open(path) as opened:
        small = opened.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return embedded(small, description)


def embedded(picture: Image.Image, description: str) -> str:
    """Return a picture inside the page, as JPEG."""
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=QUALITY)
    data = base64.b64encode(encoded.getvalue()).decode()
    return f'<img alt="{escape(description)}" src="data:image/jpeg;base64,{data}">'
