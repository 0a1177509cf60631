"""Time and memory of running a network at one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

REFERENCE = "adain"
"""Title of the network that ratios refer to."""


@dataclass
class RunningCost:
    """Measurements of one network at one size.

    Attributes:
        network: The candidate's title.
        size: Side of content and style in pixels.
        seconds: Time of each run to stylize one image, encoding of both images included.
        seconds_style_encoded: Time of each run without encoding the style.
        peak_bytes: Peak memory beyond the weights.
        peak_source: How it was read, see :class:`~datnet.evaluation.peak_memory.Peak`.
        problem: Why values are missing, in a few words.
    """

    network: str
    size: int
    seconds: list[float] = field(default_factory=list)
    seconds_style_encoded: list[float] = field(default_factory=list)
    peak_bytes: int | None = None
    peak_source: str | None = None
    problem: str | None = None


def quartiles_of(seconds: Sequence[float]) -> dict[str, Any] | None:
    """Return median, quartiles and all runs; None if there are no runs."""
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
    """Time of a network relative to another one at the same size.

    Args:
        measurement: Of the network.
        measurements: All measurements, among them those of the reference.
        reference: Title of the reference network.

    Returns:
        The median over turns of the ratio within a turn; None if either has no times.
    """
    of_reference = next(
        (m for m in measurements if m.network == reference and m.size == measurement.size), None
    )
    if of_reference is None or not (of_reference.seconds and measurement.seconds):
        return None
    return median(
        own / other for own, other in zip(measurement.seconds, of_reference.seconds, strict=True)
    )
