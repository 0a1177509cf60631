"""The command `datnet`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from typing import TextIO

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
from datnet.errors import DatNetError, DatNetWarning, in_words

DESCRIPTION = """\
Arbitrary artistic style transfer: train, measure and use DatNet and its rivals.
`datnet COMMAND --help` explains a command.
"""


def main() -> None:
    """Run the command that the command line names, and exit with its status."""
    if sys.argv[1:2] == ["train"]:
        # Hydra reads the command line itself, and a process for every GPU is started by repeating
        # this process's command: so the training's own module becomes this process.
        os.execv(sys.executable, [sys.executable, "-m", "datnet.training", *sys.argv[2:]])
    parser = argparse.ArgumentParser(
        "datnet", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
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
        lists = [name for name in ("pictures", "changes") if name in arguments]
        if not lists or any(each.startswith("-") for each in rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        setattr(arguments, lists[0], [*getattr(arguments, lists[0]), *rest])
    warnings.showwarning = show_warning
    try:
        status = arguments.run(arguments)
        sys.stdout.flush()
        sys.exit(status)
    except BrokenPipeError:  # `datnet doctor | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except DatNetError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        print(f"error: {in_words(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show our own warnings as one line, and all others as Python does."""
    if issubclass(category, DatNetWarning):
        text = f"note: {message}\n"
    else:
        text = warnings.formatwarning(message, category, filename, lineno, line)
    (file or sys.stderr).write(text)
