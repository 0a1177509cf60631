"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        topic: packages, devices, weights, networks, data, tracking or disk.
        name: What was checked.
        state: "ok"; "note" for something worth knowing that stops nothing; "broken" for something
            that DatNet needs and cannot use.
        text: What was found.
        cure: How to fix it; None if there is nothing to do.
    """

    topic: str
    name: str
    state: State
    text: str
    cure: str | None = None


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line, or its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
