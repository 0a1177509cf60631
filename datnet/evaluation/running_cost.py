"""What running a network costs at one size: times of every run, and memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

REFERENCE = "adain"
"""Title of the network that ratios are taken to."""


@dataclass
class RunningCost:
    """One network at one size.

    Attributes:
        network: The candidate's title.
        size: Side of content and style.
        seconds: Of every run: a whole painting, both images encoded.
        seconds_style_encoded: Of every run: a painting whose style is encoded already.
        peak_bytes: The most memory that a painting takes beyond the weights.
        peak_source: What told it, see :class:`~datnet.evaluation.peak_memory.Peak`.
        problem: Why numbers are missing, in a few words.
    """

    network: str
    size: int
    seconds: list[float] = field(default_factory=list)
    seconds_style_encoded: list[float] = field(default_factory=list)
    peak_bytes: int | None = None
    peak_source: str | None = None
    problem: str | None = None


def quartiles_of(seconds: Sequence[float]) -> dict[str, Any] | None:
    """Median, quartiles and every run; None if there is none."""
    if not seconds:
        return None
    lower, middle, upper = np.percentile(seconds, [25, 50, 75]).tolist()
    return {
        "median": middle,
        "lower_quartile": lower,
        "upper_quartile": upper,
        "runs": list(seconds),
    }


def ratio(
    measurement: RunningCost, measurements: Sequence[RunningCost], reference: str = REFERENCE
) -> float | None:
    """How many times as long a network takes as another one at the same size.

    Returns:
        The median over the turns of the ratio within a turn; None if either has no times.
    """
    of_reference = next(
        (m for m in measurements if m.network == reference and m.size == measurement.size), None
    )
    if of_reference is None or not (of_reference.seconds and measurement.seconds):
        return None
    return median(
        own / other for own, other in zip(measurement.seconds, of_reference.seconds, strict=True)
    )
