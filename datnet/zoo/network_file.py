"""Network files: tensors in safetensors, with a header that tells how to rebuild the network.

A file is self-contained: it names the network's class, settings and encoder. The encoder's weights
are public and not included. Reading a file runs no code from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from datnet.errors import DatNetError
from datnet.images.files import write_bytes
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.vgg import VggEncoder
from datnet.zoo.description import NetworkDescription, read_description
from datnet.zoo.eight_bits import from_eight_bits
from datnet.zoo.encoder import vgg_encoder
from datnet.zoo.instantiate import build_with_encoder, converted_settings, find_target
from datnet.zoo.run_files import RunFiles

ENCODER_PREFIX = "encoder."

PAINTINGS_PREFIX = "paintings."
"""Tensors with pictures of the paintings that a network was trained for, see
:func:`own_paintings`."""

WEIGHT_AVERAGE = "weight_average"
"""Key of the moving average of the weights among a checkpoint's callbacks."""


def save_network(
    network: StyleTransferNetwork, description: NetworkDescription, path: Path
) -> None:
    """Write a network to a file atomically.

    Args:
        network: The network; the weights of its encoder are left out.
        description: Stored in the file's header.
        path: The file; an existing one is replaced.

    Raises:
        OSError: If it cannot be written.
    """
    save_tensors(network.state_dict(), description, path)


def save_tensors(
    tensors: Mapping[str, Tensor], description: NetworkDescription, path: Path
) -> None:
    """Write a network, given as a state dict, like :func:`save_network`.

    Args:
        tensors: The state dict; tensors of the encoder are left out.
        description: Stored in the file's header.
        path: The file; an existing one is replaced.

    Raises:
        OSError: If it cannot be written.
    """
    stored = {
        name: tensor.detach().contiguous().cpu()
        for name, tensor in without_encoder(tensors).items()
    }
    # Not save_file, whose files only their owner may read.
    write_bytes(path, save(stored, metadata={"datnet": json.dumps(asdict(description))}))


def without_encoder(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a state dict that a file holds, all but the encoder's."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(ENCODER_PREFIX)}


def network_of_checkpoint(checkpoint: Path) -> Path:
    """Convert a checkpoint of a training to a network file.

    If the training keeps a moving average of the weights, that is the network.

    Args:
        checkpoint: ``RUN_DIR/checkpoints/NAME.ckpt`` of `datnet train`, even while it trains.
            Reading it runs no code from it.

    Returns:
        ``NAME.safetensors`` beside the checkpoint, written again.

    Raises:
        DatNetError: If the checkpoint is damaged, the run's description.json is missing, or the
            folder cannot be written to.
    """
    facts = RunFiles(checkpoint.absolute().parents[1]).description
    try:
        description = NetworkDescription(**json.loads(facts.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DatNetError(
            f"{checkpoint} is a checkpoint whose network is described in {facts}, which "
            f"cannot be read ({error}); name the network.safetensors of a finished training"
        ) from error
    step, tensors = read_checkpoint(checkpoint)
    description = replace(description, training={**description.training, "steps": step})
    prefix = "network."
    network = {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    path = checkpoint.with_suffix(".safetensors")
    try:
        save_tensors(network, description, path)
    except OSError as error:
        raise DatNetError(f"{path}, a checkpoint's network, cannot be written: {error}") from error
    return path


def read_checkpoint(path: Path) -> tuple[int, dict[str, Tensor]]:
    """Return a checkpoint's number of optimizer steps and its memory-mapped tensors.

    If the training keeps a moving average of the weights, that replaces the weights.

    Raises:
        DatNetError: If the file is damaged or not a checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        average = state.get("callbacks", {}).get(WEIGHT_AVERAGE, {}).get("average", {})
        return int(state["global_step"]), {**state.get("state_dict", {}), **average}
    except Exception as error:  # damaged zip files raise many kinds
        raise DatNetError(f"{path} is damaged or not a checkpoint: {error}") from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file of :func:`save_network`; 8-bit weights become float32."""
    with safe_open(path, framework="pt") as file:
        return from_eight_bits({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118


def own_paintings(path: Path) -> dict[str, Tensor]:
    """Read the paintings that a network was trained for, if it was trained for certain ones.

    Args:
        path: A file of :func:`save_network`.

    Returns:
        Their pictures by name, ``(3, H, W)``, uint8; empty for a network for any painting.

    Raises:
        DatNetError: If the file is missing or is not such a file.
    """
    names = painting_names(read_description(path))
    with safe_open(path, framework="pt") as file:
        there = set(file.keys())
        keys = [f"{PAINTINGS_PREFIX}{index}" for index in range(len(names))]
        return {
            name: file.get_tensor(key)
            for name, key in zip(names, keys, strict=True)
            if key in there
        }


def painting_names(description: NetworkDescription) -> list[str]:
    """Names of the paintings that a network was trained for; empty for any painting."""
    return list(description.network.get("paintings") or description.training.get("paintings") or ())


def check_network_class(network: Mapping[str, Any]) -> None:
    """Check that the class a file names is a network, so that nothing else is ever called.

    Args:
        network: ``_target_`` and settings of its class.

    Raises:
        DatNetError: If the class does not exist, is not a network or lacks a setting.
    """
    target = find_target(network)
    if not (isinstance(target, type) and issubclass(target, StyleTransferNetwork)):
        raise DatNetError(f"{network['_target_']} is not a style transfer network")
    settings = {name: value for name, value in network.items() if name != "_target_"}
    converted_settings(network["_target_"], network, settings)


def build_network(
    network: Mapping[str, Any], make_encoder: Callable[[], VggEncoder]
) -> StyleTransferNetwork:
    """Build the network that a file names, with random weights.

    Args:
        network: ``_target_`` and settings of its class.
        make_encoder: Makes its encoder if it takes one.

    Returns:
        The network.

    Raises:
        DatNetError: If the class does not exist, is not a network or refuses its settings.
    """
    check_network_class(network)
    built: StyleTransferNetwork = build_with_encoder(network, make_encoder)
    return built


@torch.inference_mode(False)  # inference tensors could not be trained later
def load_network(path: Path, encoder: VggEncoder | None = None) -> StyleTransferNetwork:
    """Rebuild a trained network, on the CPU, in evaluation mode.

    Args:
        path: A file of :func:`save_network`; 8-bit and float16 tensors become float32.
        encoder: An encoder to share between networks. By default the one that the file names is
            built, which may fetch its weights. Networks without a VGG need none.

    Returns:
        The network, on the CPU, in evaluation mode and channels-last memory format.

    Raises:
        DatNetError: If the file is missing, damaged or does not fit this version of DatNet.
    """
    description = read_description(path)
    try:
        check_network_class(description.network)
    except DatNetError as error:
        raise DatNetError(f"{path} cannot be used: {error}") from error
    network: StyleTransferNetwork = build_with_encoder(
        description.network, lambda: encoder or vgg_encoder(**description.encoder)
    )
    expected = without_encoder(network.state_dict())
    stored = read_tensors(path)
    wrong = [
        name
        for name in expected.keys() | stored.keys()
        if not (name.startswith(PAINTINGS_PREFIX) and name not in expected)
        and (
            name not in expected or name not in stored or expected[name].shape != stored[name].shape
        )
    ]
    if wrong:
        raise DatNetError(
            f"{path} does not fit {description.network['_target_']}: "
            f"{len(wrong)} tensors differ, {sorted(wrong)[0]} among them"
        )
    with torch.no_grad():
        for name, tensor in expected.items():
            tensor.copy_(stored[name])
    return network.eval().to(memory_format=torch.channels_last)  # convolutions are faster
