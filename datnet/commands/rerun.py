"""`datnet rerun`: repeat a training run from its folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from datnet.commands.arguments import to_path

DESCRIPTION = """\
Repeat a training run with the settings saved in its folder, and report whether the weights are the
same. On a CPU they are bitwise equal for the same versions and number of threads; if they differ,
the exit status is 1. Settings can be changed: datnet rerun RUN_DIR seed=2 trainer.max_steps=100.
The weights are then not compared.
"""

EXAMPLES = """\
examples:
  datnet rerun runs/datnet_full/seed_1
  datnet rerun runs/datnet_full/seed_1 --run-dir runs/again logger.wandb=null data.num_workers=4
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "rerun",
        help="repeat a training run from its folder and compare the weights",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=to_path, metavar="RUN_DIR", help="the run's folder")
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="settings to change")
    parser.add_argument(
        "--run-dir",
        type=to_path,
        help="folder of the new run (default: RUN_DIR_rerun, RUN_DIR_rerun_2, …)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, compare the weights and print the result.

    Returns:
        1 if the weights differ, else 0.
    """
    from datnet.training.exits import exits_of_training, quieten  # these import torch
    from datnet.training.rerun import differences, settings_of_repetition
    from datnet.training.run import train

    original = arguments.folder
    config = settings_of_repetition(original, arguments.changes, arguments.run_dir)
    quieten()
    with exits_of_training(config.run_dir):
        train(config)
    if arguments.changes:
        print(f"settings were changed: the weights in {config.run_dir} are not compared")
        return 0
    networks = (Path(folder) / "network.safetensors" for folder in (original, config.run_dir))
    different = differences(*networks)
    print(different or "the weights are bitwise equal")
    return 1 if different else 0
