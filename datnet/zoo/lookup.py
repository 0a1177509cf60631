"""Finds network files by name: a list of sources is searched in order."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datnet.errors import DatNetError
from datnet.zoo.network_file import network_of_checkpoint
from datnet.zoo.published import PUBLISHED, find_published
from datnet.zoo.run_files import LAST, RUNS, RunFiles, trained_networks
from datnet.zoo.shipped import find_shipped, shipped_names
from datnet.zoo.training_free import TRAINING_FREE, find_training_free

LISTED = 12
"""Most names of one source in a message."""


@dataclass(frozen=True)
class Source:
    """A source of networks.

    Attributes:
        kind: What its networks are, for messages.
        names: Returns the names that a user may give.
        find: Returns the network file for a name; None if the source has no such network.
            Raises DatNetError if it has one that cannot be used.
    """

    kind: str
    names: Callable[[], list[str]]
    find: Callable[[str], Path | None]


def find_network(checkpoint: str | Path) -> Path:
    """Return the network file for a path or name.

    Args:
        checkpoint: A network or checkpoint written by `datnet train`, or the folder of its run,
            even while it trains; or the name of a published network, of one that comes with DatNet,
            or of a method that needs no training; or a folder with the files of a published one, as
            its authors published them or as ``PART.safetensors``. An existing file, then a folder
            that holds a network, takes precedence over a name. The content of the file is not
            checked.

    Returns:
        The file; for a published network a verified one in the cache.

    Raises:
        DatNetError: If there is no such file or name, or a published network's files are missing,
            changed or cannot be fetched.
    """
    name = str(checkpoint)
    for source in SOURCES:
        path = source.find(name)
        if path is not None:
            return path
    if Path(name).exists():  # a folder without a network: reading it raises the error
        return Path(name)
    offers = {source.kind: source.names() for source in SOURCES}
    near = difflib.get_close_matches(name, [each for names in offers.values() for each in names], 1)
    hint = f"did you mean {near[0]}? " if near else ""
    there = "; ".join(f"{kind}: {_some(names)}" for kind, names in offers.items() if names)
    raise DatNetError(
        f"{name} does not exist, and no network has this name; {hint}`datnet train` writes "
        f"RUN_DIR/network.safetensors. Available networks: {there}"
    )


def _some(names: list[str]) -> str:
    """List the first names, since there may be hundreds of runs."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _find_file(name: str) -> Path | None:
    path = Path(name)
    if not path.is_file():
        return None
    return network_of_checkpoint(path) if path.suffix == ".ckpt" else path


def _find_in_run(name: str) -> Path | None:
    run = RunFiles(Path(name))
    if run.network.is_file():
        return run.network
    last = run.checkpoints / LAST
    return network_of_checkpoint(last) if last.is_file() else None


def _finished_runs() -> list[str]:
    return [str(network.parent) for network in trained_networks(RUNS)]


# Folders take precedence over names, also folders of published networks.
SOURCES = (
    Source("files", list, _find_file),
    Source("trained here", _finished_runs, _find_in_run),
    Source("published", lambda: list(PUBLISHED), find_published),
    Source("shipped with DatNet", shipped_names, find_shipped),
    Source("methods without training", lambda: list(TRAINING_FREE), find_training_free),
)
