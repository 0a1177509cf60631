"""`datnet info`: describe a trained network."""

from __future__ import annotations

import argparse
import json
import textwrap
from dataclasses import asdict
from pathlib import Path

from datnet.commands.arguments import to_path
from datnet.errors import DatNetError

DESCRIPTION = """\
Describe a trained network from its file: method, encoder, training data and settings, commit, size
and SHA-256. --card prints its model card in Markdown, as `datnet train` writes it next to a
network, with the results of an evaluation of this file if there is one.
"""

EXAMPLES = """\
examples:
  datnet info runs/datnet_full/seed_1/network.safetensors
  datnet info microast --card > model_card.md
  datnet info network.safetensors --card --evaluations evaluations/50x20
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "info",
        help="describe a trained network",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "network",
        type=to_path,
        metavar="NETWORK",
        help="a file written by `datnet train`, or its run folder; a network that comes with "
        "DatNet, such as adain; a published network: microast; or a training-free method: wct, "
        "gatys",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--card", action="store_true", help="print the model card as Markdown")
    form.add_argument("--json", action="store_true", help="print the file's header as JSON")
    parser.add_argument(
        "--evaluations",
        type=to_path,
        help="folder of `datnet evaluate` results for the card (default: evaluations)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the description, the model card or the header.

    Raises:
        DatNetError: If the network or the folder of evaluations cannot be found or read.
    """
    from datnet.evaluation.of_network import measured  # these import torch
    from datnet.zoo.card import NetworkFile, facts, model_card
    from datnet.zoo.lookup import find_network

    folder = arguments.evaluations
    if folder is not None and not folder.is_dir():
        raise DatNetError(f"--evaluations {folder}: no such folder")
    file = NetworkFile.read(find_network(arguments.network))
    if arguments.card:
        print(model_card(file, measured(file, folder or Path("evaluations"))), end="")
    elif arguments.json:
        report = {
            "file": str(file.path),
            "bytes": file.size,
            "sha256": file.sha256,
            "parameters": file.parameters and asdict(file.parameters),
            **asdict(file.description),
        }
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        sections = facts(file)
        width = 2 + max(len(title) for rows in sections.values() for title, _ in rows)
        for rows in sections.values():
            for title, value in rows:
                print(
                    textwrap.fill(
                        str(value),
                        width=100,
                        initial_indent=f"{title:{width}}",
                        subsequent_indent=" " * width,
                        break_long_words=False,
                        break_on_hyphens=False,
                    )
                )
    return 0
