"""Options of all tables and figures, and how their commands run."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from datnet.commands.arguments import Parser, to_path, whole
from datnet.commands.process import run_command, say
from experiments.plan import SCALES


def argument_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all tables and figures have.

    Args:
        module: Module that is run.
        description: Its help text.

    Returns:
        The parser.
    """
    parser = Parser(
        f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--scale",
        choices=SCALES,
        help="sample: trainings of minutes on embedded pictures; pretrained: the networks in "
        "pretrained/; paper: the paper's protocol, GPU-days (default: pretrained; sample "
        "if --models names one that is not in pretrained/)",
    )
    parser.add_argument(
        "--seeds", type=whole(0, 2**32 - 1), nargs="+", help="of the trainings (default: 1)"
    )
    parser.add_argument("--content", type=to_path, help="photographs to train on (scale paper)")
    parser.add_argument("--style", type=to_path, help="paintings to train on (scale paper)")
    parser.add_argument(
        "--eval-content", type=to_path, help="photographs to evaluate on (default: sample set)"
    )
    parser.add_argument(
        "--eval-style", type=to_path, help="paintings to evaluate on (default: sample set)"
    )
    for kind, name in (("contents", "photographs"), ("styles", "paintings")):
        parser.add_argument(
            f"--{kind}",
            type=whole(1),
            help=f"evaluate on the first N {name} only, for a first impression",
        )
    parser.add_argument(
        "--size",
        type=whole(32, 4096),
        help="side of the evaluated pictures (default: 512; 192 at scale sample)",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="MODEL",
        help="leave out all others, such as --models datnet_full adain wct (default: all; scale "
        "pretrained leaves out gatys, which takes hundreds of steps for every pair)",
    )
    parser.add_argument("--output", type=to_path, help="default: runs/SCALE")
    parser.add_argument(
        "--jobs",
        type=whole(1, 256),
        default=1,
        help="evaluate in this many processes, see `datnet evaluate --help` (default: 1)",
    )
    parser.add_argument(
        "overrides", nargs="*", help="settings of the trainings, such as trainer=gpu"
    )
    return parser


def run(parser: argparse.ArgumentParser, make: Callable[[argparse.Namespace], None]) -> None:
    """Run the command of a table or figure; user errors end with one line.

    Args:
        parser: The command's options.
        make: Makes the table or figure.

    Raises:
        SystemExit: If the command fails or is interrupted.
    """

    def command() -> None:
        try:
            make(parser.parse_args())
        except KeyboardInterrupt:
            say("the same command goes on from here")
            raise

    run_command(command)
