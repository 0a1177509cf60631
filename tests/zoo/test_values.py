from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Interval
from omegaconf import OmegaConf

from datnet.errors import DatNetError
from datnet.zoo.values import annotations_of, converted


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (bool, "no", False),
        (bool, "on", True),
        (int, 8.0, 8),
        (int, "8", 8),
        (float, "1e-4", 1e-4),
        (float, 3, 3.0),
        (int | None, None, None),
        (str | Path | None, 2023, "2023"),
        (Sequence[int], [1, 2.0, "3"], [1, 2, 3]),
        (list[int], OmegaConf.create([1, "2"]), [1, 2]),
        (Literal["a", "b"], "b", "b"),
        (Any, "no", "no"),
    ],
)
def test_values_are_converted(annotation: Any, value: Any, expected: Any) -> None:
    result = converted("key", annotation, value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (bool, "maybe", "key is maybe; it must be true or false"),
        (bool, 2, "key is 2; it must be true or false"),
        (int, True, "key is true; it must be a number"),
        (int, 8.5, "key is 8.5; it must be a whole number"),
        (int | None, "abc", "key is abc; it must be a whole number or null"),
        (float, "nan", "key is nan; it must be finite"),
        (float, True, "key is true; it must be a number"),
        (str | None, [1], r"key is \[1\]; it must be text or null"),
        (Sequence[int], "3", "key is 3; it must be a list such as"),
        (Sequence[int], [1, "x"], "it must be a whole number, in place 1"),
        (Literal["a", "b"] | None, "c", "key is c; it can be a, b or null"),
        (Annotated[float, Ge(0)], -1, "it must be finite and not negative"),
        (Annotated[int, Interval(ge=1, le=5)], 9, "key is 9; it must be at most 5"),
        (dict[str, int], 3, "it must be a mapping such as {key:value}"),
        (int, "", "key is empty; it must be a whole number"),
    ],
)
def test_what_does_not_fit_is_refused(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(DatNetError, match=message):
        converted("key", annotation, value)


class Unannotated:
    def __init__(self, plain, later: Missing = None) -> None:  # noqa: F821
        self.plain, self.later = plain, later


def test_signatures_that_say_nothing() -> None:
    assert annotations_of(Unannotated) == {"plain": Any, "later": Any}
