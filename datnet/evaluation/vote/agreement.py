"""How far raters agree beyond chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence


def krippendorff_alpha(units: Iterable[Sequence[Hashable]]) -> float:
    """Krippendorff's alpha for nominal values (Krippendorff, *Content Analysis*, 2004).

    1 minus the observed over the expected disagreement. Units with one value, that is comparisons
    that a single rater saw, are left out; raters may see different units.

    Args:
        units: The values that raters gave, by unit.

    Returns:
        1 for full agreement, 0 for that of chance, negative for less; NaN if no unit has two
        values, or all values are equal.
    """
    rated = [Counter(values) for values in units if len(values) > 1]
    totals = sum(rated, Counter())
    count = totals.total()
    expected = count * count - sum(amount * amount for amount in totals.values())
    if expected == 0:
        return math.nan
    observed = sum(
        (unit.total() ** 2 - sum(amount * amount for amount in unit.values())) / (unit.total() - 1)
        for unit in rated
    )
    return 1 - (count - 1) * observed / expected
