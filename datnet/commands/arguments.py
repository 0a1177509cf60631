"""Command-line parser and argument types.

Every path, number and word of every command is parsed by one of these types, so invalid values are
rejected in one line that names the option, before anything is loaded.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Argument parser that reports errors in one line, as the commands do."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 2."""
        self.exit(2, f"error: {message} ({self.prog} --help)\n")


def to_name(text: str) -> str:
    """Return a non-empty path or pattern as text, with ``~`` expanded.

    The shell does not expand ``~`` in quotes or after ``--option=``.

    Raises:
        argparse.ArgumentTypeError: If it is empty.
    """
    return os.path.expanduser(to_word(text))  # noqa: PTH111  # keeps ~ of an unknown user


def to_path(text: str) -> Path:
    """Return a path that need not exist: a file, a folder or the name of a network."""
    return Path(to_name(text))


def to_word(text: str) -> str:
    """Return the text unchanged.

    Raises:
        argparse.ArgumentTypeError: If it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError(
            "it is empty, perhaps because a shell variable is not set; leave it out or give a value"
        )
    return text


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return an argument type for integers in a range.

    Args:
        least: Smallest value allowed.
        most: Largest value allowed; None for no upper limit.

    Returns:
        A function from the text of an argument to its value. It raises
        ``argparse.ArgumentTypeError`` for values outside the range.
    """

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
    """Return an argument type for real numbers in a range; NaN is rejected.

    Args:
        least: Lower limit.
        most: Upper limit.
        without_least: Whether the lower limit itself is excluded.
        without_most: Whether the upper limit itself is excluded.

    Returns:
        A function from the text of an argument to its value. It raises
        ``argparse.ArgumentTypeError`` for values outside the range.
    """

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        low = value > least if without_least else value >= least
        high = value < most if without_most else value <= most
        if not (low and high):  # also for NaN
            limits = f"{'above' if without_least else 'from'} {least:g}"
            limits += f"{' and below' if without_most else ' to'} {most:g}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {limits}")
        return value

    return number


def add_picture_folders(parser: argparse.ArgumentParser) -> None:
    """Add ``--content`` and ``--style``, the folders of an evaluation."""
    parser.add_argument(
        "--content", type=to_path, help="folder of content images (default: the sample set)"
    )
    parser.add_argument(
        "--style", type=to_path, help="folder of style images (default: the sample set)"
    )
