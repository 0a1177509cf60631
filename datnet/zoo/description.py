"""The description in the header of a network file; does not import torch, which is slow."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from datnet.errors import DatNetError


@dataclass(frozen=True)
class NetworkDescription:
    """Description of a trained network and its training.

    Args:
        name: Name of the variant, as in conf/model.
        network: ``_target_`` and settings of the network's class.
        encoder: Arguments of :func:`~datnet.zoo.encoder.vgg_encoder` for the encoder that it was
            trained with.
        training: Facts about the training for readers and tables: steps, data, seed, commit, …
    """

    name: str
    network: dict[str, Any]
    encoder: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)


def read_description(path: Path) -> NetworkDescription:
    """Read the header of a file of :func:`~datnet.zoo.network_file.save_network`.

    Raises:
        DatNetError: If the file is missing or is not such a file.
    """
    if path.is_dir():
        raise DatNetError(f"{path} is a folder that holds no network and no checkpoints")
    if not path.exists():
        raise DatNetError(
            f"{path} does not exist; `datnet train` writes RUN_DIR/network.safetensors"
        )
    try:
        with safe_open(path, framework="numpy") as file:  # "pt" would import torch
            return NetworkDescription(**json.loads((file.metadata() or {})["datnet"]))
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise DatNetError(
            f"{path} is not a network file of DatNet; `datnet train` writes "
            "RUN_DIR/network.safetensors"
        ) from error
