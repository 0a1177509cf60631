"""Methods that need no training, by name, as network files of DatNet.

Their files are made on the user's machine on first use and kept in DatNet's cache.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from datnet.errors import DatNetError
from datnet.images.embedded import VERSION, sample_images
from datnet.images.reading import read_image
from datnet.images.tensors import to_tensor
from datnet.networks.training_free import OptimizationMethod, TrainingFreeNetwork
from datnet.zoo.backbones import cache_dir
from datnet.zoo.encoder import vgg_encoder
from datnet.zoo.instantiate import build_with_encoder, find_target
from datnet.zoo.network_file import NetworkDescription, read_description, save_network

METHODS = {
    "wct": NetworkDescription(
        "wct",
        network={"_target_": "datnet.networks.wct.WCT"},
        encoder={"arch": "vgg16", "weights": "imagenet", "normalized": True},
        training={
            "description": "not trained: linear decoders fitted by least squares to photographs "
            f"of the embedded sample set, version {VERSION}"
        },
    ),
    "gatys": NetworkDescription(
        "gatys",
        network={"_target_": "datnet.networks.gatys.Gatys"},
        encoder={"arch": "vgg16", "weights": "imagenet", "normalized": True},
        training={
            "description": "not trained: the pixels are optimised for every pair of pictures"
        },
    ),
}

TRAINING_FREE = {
    **METHODS,
    **{
        f"{name}_vgg19": replace(
            method, name=f"{name}_vgg19", encoder={**method.encoder, "arch": "vgg19"}
        )
        for name, method in METHODS.items()
    },
}
"""Name to header of the network file. VGG-16 is the default because its download is small."""


def training_free_file(name: str) -> Path:
    """Return the network file of a method that needs no training; it is made if missing.

    Args:
        name: A key of :data:`TRAINING_FREE`.

    Raises:
        DatNetError: If the encoder's weights cannot be found or the cache cannot be written.
    """
    path = cache_dir() / "networks" / f"{name}.safetensors"
    try:
        make_training_free(TRAINING_FREE[name], path)
    except OSError as error:
        raise DatNetError(
            f"{path} cannot be written: {error}. Set DATNET_CACHE to use another folder."
        ) from error
    return path


def find_training_free(name: str) -> Path | None:
    """Return the network file of a method that needs no training; None if none has this name."""
    return training_free_file(name) if name in TRAINING_FREE else None


def make_training_free(description: NetworkDescription, path: Path) -> None:
    """Write the network file of a method that needs no training, unless it exists.

    Args:
        description: One of :data:`TRAINING_FREE`, or one with other settings.
        path: The file.

    Raises:
        DatNetError: If the method lacks a setting, or the encoder's weights cannot be found.
        OSError: If the file cannot be written.
    """
    if is_made(description, path):
        return
    network: TrainingFreeNetwork = build_with_encoder(
        description.network, lambda: vgg_encoder(**description.encoder)
    )
    network.prepare(sample_photographs(description.name))
    save_network(network, description, path)


def is_made(description: NetworkDescription, path: Path) -> bool:
    """Whether a network file exists and equals what would be written today.

    Args:
        description: The expected header.
        path: The file.

    Returns:
        True if the file's header is this description.
    """
    try:
        return read_description(path) == description
    except DatNetError:
        return False


def with_settings(
    name: str, encoder: dict[str, Any] | None = None, **settings: Any
) -> NetworkDescription:
    """Return the description of a method with another encoder or other settings.

    Args:
        name: A key of :data:`TRAINING_FREE`.
        encoder: Arguments of :func:`~datnet.zoo.encoder.vgg_encoder`; None for the method's own.
        **settings: Arguments of the method's class.

    Returns:
        The description.
    """
    method = TRAINING_FREE[name]
    return replace(
        method, encoder=encoder or method.encoder, network={**method.network, **settings}
    )


def takes_steps(network: Mapping[str, Any]) -> bool:
    """Whether a network (``_target_`` and settings) optimizes the pixels step by step."""
    target = find_target(network)
    return isinstance(target, type) and issubclass(target, OptimizationMethod)


def sample_photographs(name: str) -> Iterator[Tensor]:
    """Yield the photographs of the embedded sample set, each ``(1, 3, H, W)`` in [0, 1].

    Nothing is read or printed before the first one is requested.

    Args:
        name: Method that is prepared with them, for the message that this takes a minute.
    """
    photographs = sorted(sample_images().train_content.iterdir())
    print(
        f"Preparing {name}, once, with {len(photographs)} photographs: about a minute …",
        file=sys.stderr,
        flush=True,
    )
    for path in photographs:
        yield to_tensor(read_image(path))[None]
