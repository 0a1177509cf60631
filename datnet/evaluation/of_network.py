"""Evaluation results of one network, for its model card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from datnet.evaluation.controls import CONTROLS
from datnet.evaluation.summary import EvaluationSummary, summary_table
from datnet.zoo.card import NetworkFile


def measured(file: NetworkFile, folder: Path) -> str | None:
    """Return a table of an evaluation of a network.

    Args:
        file: The network.
        folder: See :func:`find_summaries`.

    Returns:
        The protocol and a Markdown table; None if there is no evaluation.
    """
    summaries = find_summaries(file, folder)
    return summary_table(summaries) if summaries else None


def find_summaries(file: NetworkFile, folder: Path) -> list[EvaluationSummary]:
    """Find the newest evaluation of a network and of the controls measured with it.

    Args:
        file: The network.
        folder: Results of `datnet evaluate`, at any depth.

    Returns:
        Summaries of the controls, then of the network under its own name, from the newest
        evaluation of exactly this file; empty if there is none.
    """
    # `datnet evaluate` names a network's folder by the first 8 digits of its file's SHA-256.
    found = folder.rglob(f"*-{file.sha256[:8]}/summary.json")
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        return []
    # The saved title may contain folders, if that evaluation had several networks of one name.
    own = replace(EvaluationSummary.load(newest), description=file.description.name)
    controls = (
        EvaluationSummary.load(path) for path in sorted(newest.parents[1].glob("*/summary.json"))
    )
    return [
        *(other for other in controls if other.description in CONTROLS and own.comparable(other)),
        own,
    ]
