"""The network that a tuning begins with, and how its method is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datnet.errors import DatNetError
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.own_paintings import OwnStyleNetwork
from datnet.training.config import EncoderConfig
from datnet.training.initial_weights import begin_with, origin
from datnet.zoo.configs import model_config, model_names
from datnet.zoo.instantiate import build_with_encoder, find_target
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import NetworkDescription, load_network, read_description

FROM_SCRATCH = "johnson"
ENCODER = {"arch": "vgg16", "weights": "imagenet", "normalized": True}


@dataclass(frozen=True)
class Beginning:
    """A network that can be tuned.

    Attributes:
        network: The network.
        description: ``_target_`` and settings of its class, its name and encoder.
        objective: What it is trained with.
        recipe: The settings of its method's training, in conf/model.
        origin: Facts about the trained network; None from scratch.
    """

    network: StyleTransferNetwork
    description: NetworkDescription
    objective: dict[str, Any]
    recipe: dict[str, Any]
    origin: dict[str, Any] | None


def find_beginning(begin: str, paintings: Sequence[str]) -> Beginning:
    """Find the network to begin with and how its method is trained.

    Args:
        begin: As in :class:`datnet.training.tuning.Settings`.
        paintings: Names of the paintings to learn.

    Returns:
        The network, on the CPU.

    Raises:
        DatNetError: If there is no such network, or its method is not trained.
    """
    if begin == FROM_SCRATCH and not Path(begin).exists():
        name = "johnson" if len(paintings) == 1 else "cin"
        model = model_config(name)
        assert model is not None
        network = {**model["network"], "paintings": list(paintings)}
        return Beginning(
            build_with_encoder(network, lambda: None),
            NetworkDescription(name, network, ENCODER),
            model["objective"],
            model["recipe"],
            None,
        )
    path = find_network(begin)
    description = read_description(path)
    target = description.network["_target_"]
    methods = [model for name in model_names() if (model := model_config(name)) is not None]
    model = next((each for each in methods if each["network"]["_target_"] == target), None)
    if model is None:
        raise DatNetError(f"{begin} is not trained, so it cannot be tuned; begin with adain")
    objective = description.training.get("objective") or model["objective"]
    recipe = model["recipe"]
    kind = find_target(description.network)
    if not (isinstance(kind, type) and issubclass(kind, OwnStyleNetwork)):
        loaded = load_network(path)
        return Beginning(loaded, description, objective, recipe, origin(path))
    own = NetworkDescription(
        description.name,
        {**description.network, "paintings": list(paintings)},
        description.encoder,
    )
    network = build_with_encoder(own.network, lambda: None)
    facts = begin_with(network, begin, EncoderConfig(**description.encoder))
    return Beginning(network, own, objective, recipe, facts)
