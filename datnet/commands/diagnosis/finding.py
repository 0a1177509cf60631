"""One thing that the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: packages, devices, weights, networks, data, tracking or disk.
        name: What was looked at.
        state: "ok"; "note" for what is worth knowing and stops nobody; "broken" for what DatNet
            needs and cannot use.
        text: What was found.
        cure: What to do about it.
    """

    topic: str
    name: str
    state: State
    text: str
    cure: str | None = None


def one_line(error: BaseException) -> str:
    """An error's message, or its kind, as one line."""
    return " ".join(str(error).split()) or type(error).__name__
