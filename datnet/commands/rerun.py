"""`datnet rerun`: train once more what a run's folder says."""

from __future__ import annotations

import argparse

from datnet.commands.arguments import to_path
from datnet.errors import DatNetError

DESCRIPTION = """\
Repeat a training from the settings saved in its folder, and say whether the same weights came out.
On a processor they are equal to the bit with the same versions and number of threads. Settings can
be changed: datnet rerun RUN_DIR seed=2 trainer.max_steps=100.
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
        help="repeat a training from its folder, and compare the weights",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=to_path, metavar="RUN_DIR", help="the run's folder")
    parser.add_argument(
        "changes", nargs="*", metavar="KEY=VALUE", help="settings that shall differ"
    )
    parser.add_argument(
        "--run-dir", type=to_path, help="folder of the new run (default: RUN_DIR_rerun)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train, compare and print."""
    from datnet.training.rerun import differences, settings_of  # these import torch
    from datnet.training.run import exits_of_training, quieten, train

    original = arguments.folder
    target = arguments.run_dir or original.with_name(f"{original.name}_rerun")
    if target.resolve() == original.resolve():
        raise DatNetError("--run-dir must be another folder than RUN_DIR")
    config = settings_of(original, [*arguments.changes, f"run_dir={target}", "ckpt_path=last"])
    quieten()
    with exits_of_training(target):
        train(config)
    if not arguments.changes:
        print(differences(original / "network.safetensors", target / "network.safetensors"))
    return 0
