"""Initializes a fresh run with the weights of another network."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import torch

from datnet.errors import DatNetError
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.own_paintings import OwnStyleNetwork
from datnet.training.config import EncoderConfig
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import (
    ENCODER_PREFIX,
    painting_names,
    read_description,
    read_tensors,
    without_encoder,
)

log = logging.getLogger(__name__)


def begin_with(
    network: StyleTransferNetwork, checkpoint: str, encoder: EncoderConfig
) -> dict[str, Any]:
    """Copy the tensors of a trained network whose names and shapes match.

    The other tensors keep their values and are listed in the log.

    Args:
        network: The network to initialize.
        checkpoint: The trained network, see :func:`~datnet.zoo.lookup.find_network`.
        encoder: The encoder of the network to initialize.

    Returns:
        Facts about the trained network for descriptions: "name", "sha256" of its file, and its
        "steps" and "images", which include those of the network that it was initialized with;
        both are None if unknown.

    Raises:
        DatNetError: If the network does not exist, no tensor matches, or the encoders differ.
    """
    path = find_network(checkpoint)
    description = read_description(path)
    own = network.state_dict()
    arch = description.encoder.get("arch")
    if any(name.startswith(ENCODER_PREFIX) for name in own) and arch != encoder.arch:
        raise DatNetError(
            f"init_from={checkpoint} was trained with encoder={arch} and this run has "
            f"encoder={encoder.arch}; they must be the same"
        )
    wanted = without_encoder(own)
    there = read_tensors(path)
    fitting = {
        name for name in wanted.keys() & there.keys() if wanted[name].shape == there[name].shape
    }
    if not fitting:
        raise DatNetError(
            f"init_from={checkpoint}: no tensor of {path} fits {type(network).__name__}"
        )
    with torch.no_grad():
        for name in fitting:
            wanted[name].copy_(there[name])
    if isinstance(network, OwnStyleNetwork):
        network.take_rows(painting_names(description), there)
    log.info(
        "init_from=%s: %d tensors taken; keep their own start: %s; not used: %s",
        checkpoint,
        len(fitting),
        ", ".join(sorted(wanted.keys() - fitting)) or "none",
        ", ".join(sorted(there.keys() - fitting)) or "none",
    )
    return origin(path)


def origin(path: Path) -> dict[str, Any]:
    """Return the facts about an initial network that :func:`begin_with` returns."""
    description = read_description(path)
    with path.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    return {"name": description.name, "sha256": sha256, **budget(description.training)}


def budget(training: dict[str, Any]) -> dict[str, int | None]:
    """Steps and images (pairs) of a training, including those of its initial network."""
    steps, per_step = training.get("steps"), training.get("images_per_step")
    if steps is None or per_step is None:
        return {"steps": None, "images": None}
    before = training.get("init_from") or {}
    return {
        "steps": steps + (before.get("steps") or 0),
        "images": steps * per_step + (before.get("images") or 0),
    }
