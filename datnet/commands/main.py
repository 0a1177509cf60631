"""Entry point of the command `datnet`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn

import datnet
from datnet.commands import (
    attention,
    benchmark,
    dashboard,
    data,
    doctor,
    evaluate,
    export,
    info,
    report,
    rerun,
    serve,
    stylize,
    summarize,
    tune,
    vote,
    weights,
)
from datnet.commands.arguments import Parser, to_name
from datnet.commands.process import run_command

DESCRIPTION = """\
Arbitrary artistic style transfer: train, evaluate and use DatNet and competing methods.
`datnet COMMAND --help` describes a command.
"""

ENDING = """\
exit status: 0 success; 1 an error that you can fix, described in one line; 2 invalid command line;
70 internal error of DatNet, shown in full with DATNET_TRACEBACK=1; 128 + N ended by signal N, such
as 130 for Ctrl-C.
"""

LISTS: dict[str, Callable[[str], str]] = {"pictures": to_name, "changes": str}
"""Positional lists that can continue after an option, and the type of their entries."""


def main() -> NoReturn:
    """Run the command given on the command line and exit with its status."""
    run_command(train if sys.argv[1:2] == ["train"] else run)


def train() -> NoReturn:
    """Replace this process by ``python -m datnet.training``.

    Hydra parses the command line itself, and the processes for other GPUs are started by repeating
    the command of this process.
    """
    os.execve(
        sys.executable,
        [sys.executable, "-m", "datnet.training", *sys.argv[2:]],
        {"PYTHONIOENCODING": ":backslashreplace", **os.environ},  # for names that cannot be printed
    )


def run() -> int:
    """Parse the command line and run any command other than ``train``.

    Returns:
        The exit status.
    """
    parser: argparse.ArgumentParser = Parser(
        "datnet",
        description=DESCRIPTION,
        epilog=ENDING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"datnet {datnet.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands.add_parser("train", help="train a network, or sweep over settings with -m")
    attention.add_parser(commands)
    benchmark.add_parser(commands)
    data.add_parser(commands)
    dashboard.add_parser(commands)
    doctor.add_parser(commands)
    evaluate.add_parser(commands)
    export.add_parser(commands)
    info.add_parser(commands)
    report.add_parser(commands)
    rerun.add_parser(commands)
    serve.add_parser(commands)
    stylize.add_parser(commands)
    summarize.add_parser(commands)
    tune.add_parser(commands)
    vote.add_parser(commands)
    weights.add_parser(commands)
    arguments, rest = parser.parse_known_args()
    if rest:  # argparse ends a list at the first option
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
