"""The command lines' parser, and the kinds of values that it takes.

Every path, number and word of every command goes through one of these, so that what cannot be used
is refused in one line that names the option, before anything is loaded.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, as those of the commands are."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 2."""
        self.exit(2, f"error: {message} ({self.prog} --help)\n")


def to_name(text: str) -> str:
    """A path as text, which may be a pattern, with ``~`` expanded; not empty.

    The shell leaves ``~`` alone in quotes and behind ``--option=``.
    """
    return os.path.expanduser(to_word(text))  # noqa: PTH111  # which leaves an unknown user's as it is


def to_path(text: str) -> Path:
    """A file or folder, which need not exist, or the name of a network."""
    return Path(to_name(text))


def to_word(text: str) -> str:
    """Any text but none."""
    if not text:
        raise argparse.ArgumentTypeError(
            "it is empty, which may come from an unset variable of the shell; leave it out or "
            "give a value"
        )
    return text


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number from ``least`` to ``most``."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < least or (most is not None and value > most):
            limits = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {limits}")
        return value

    return number


def real(
    least: float, most: float, *, without_least: bool = False, without_most: bool = False
) -> Callable[[str], float]:
    """A number between ``least`` and ``most``, either of which can be left out of the range."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        low = value > least if without_least else value >= least
        high = value < most if without_most else value <= most
        if not (low and high):  # NaN is neither
            limits = f"{'above' if without_least else 'from'} {least:g}"
            limits += f"{' and below' if without_most else ' to'} {most:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {limits}")
        return value

    return number
