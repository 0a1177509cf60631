"""The command `datnet`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn

import datnet
from datnet.commands import (
    benchmark,
    dashboard,
    data,
    doctor,
    evaluate,
    export,
    info,
    rerun,
    serve,
    stylize,
    summarize,
    weights,
)
from datnet.commands.arguments import Parser, to_name
from datnet.commands.process import run_command

DESCRIPTION = """\
Arbitrary artistic style transfer: train, measure and use DatNet and its rivals.
`datnet COMMAND --help` explains a command.
"""

ENDING = """\
exit status: 0 done; 1 something that you can mend, with one line that says what; 2 a mistyped
command line; 70 an error of DatNet itself, which DATNET_TRACEBACK=1 shows in full; 128 + N ended by
signal N, such as 130 by Ctrl-C.
"""

LISTS: dict[str, Callable[[str], str]] = {"pictures": to_name, "changes": str}
"""Positional lists that may go on after an option, and what their entries are."""


def main() -> NoReturn:
    """Run the command that the command line names, and exit with its status."""
    run_command(train if sys.argv[1:2] == ["train"] else run)


def train() -> NoReturn:
    """Become the training's own module.

    Hydra reads the command line itself, and a process for every GPU is started by repeating this
    process's command.
    """
    os.execve(
        sys.executable,
        [sys.executable, "-m", "datnet.training", *sys.argv[2:]],
        {"PYTHONIOENCODING": ":backslashreplace", **os.environ},  # for names that no terminal shows
    )


def run() -> int:
    """Run any other command."""
    parser: argparse.ArgumentParser = Parser(
        "datnet",
        description=DESCRIPTION,
        epilog=ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"datnet {datnet.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands.add_parser("train", help="train a network, or sweep over settings with -m")
    benchmark.add_parser(commands)
    data.add_parser(commands)
    dashboard.add_parser(commands)
    doctor.add_parser(commands)
    evaluate.add_parser(commands)
    export.add_parser(commands)
    info.add_parser(commands)
    rerun.add_parser(commands)
    serve.add_parser(commands)
    stylize.add_parser(commands)
    summarize.add_parser(commands)
    weights.add_parser(commands)
    arguments, rest = parser.parse_known_args()
    if rest:  # argparse ends a list where an option stands
        lists = [each for each in LISTS if each in arguments]
        if not lists or any(each.startswith("-") for each in rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        try:
            rest = [LISTS[lists[0]](each) for each in rest]
        except argparse.ArgumentTypeError as error:
            parser.error(f"argument {lists[0]}: {error}")
        setattr(arguments, lists[0], [*getattr(arguments, lists[0]), *rest])
    status: int = arguments.run(arguments)
    return status
