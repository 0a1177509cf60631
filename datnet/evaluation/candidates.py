"""Networks to benchmark: found by name or file, built with random weights.

The cost of a network does not depend on its weights, so none are trained or downloaded.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datnet.errors import DatNetError
from datnet.networks.attention import AttentionWay
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.vgg import Architecture, VggEncoder
from datnet.zoo.configs import model_config, model_names
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import build_network, read_description
from datnet.zoo.published import PUBLISHED
from datnet.zoo.training_free import METHODS, TRAINING_FREE, takes_steps

PAPERS_ENCODER: Architecture = "vgg19"

MEASURED_STEPS = 3
"""Steps of a method that optimizes pixels. All cost the same, and hundreds would take hours."""


@dataclass(frozen=True)
class Candidate:
    """Description of a network, from which any process can build it.

    Attributes:
        title: Title in tables.
        network: ``_target_`` and settings of its class.
        encoder: Architecture of its encoder, "vgg19" or "vgg16", if it has one.
        attention: "exact" or "fast", see :func:`~datnet.networks.attention.attention_way`.
    """

    title: str
    network: dict[str, Any]
    encoder: Architecture = PAPERS_ENCODER
    attention: AttentionWay = "exact"

    def build(self, encoder: VggEncoder | None = None) -> StyleTransferNetwork:
        """Build the network on the CPU in evaluation mode, with reproducible random weights.

        Args:
            encoder: An encoder to share; by default a new one with random weights.

        Raises:
            DatNetError: If the class cannot be found, is no network or rejects its settings.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = build_network(self.network, lambda: encoder or VggEncoder(self.encoder))
        return network.eval().to(memory_format=torch.channels_last)  # as load_network does


def all_names() -> list[str]:
    """Return the names of all networks in conf/model and of the training-free methods."""
    return [*model_names(), *METHODS]


def find_candidates(names: Sequence[str], encoder: Architecture | None = None) -> list[Candidate]:
    """Find networks by name or file.

    Args:
        names: Names in conf/model, of published networks and of training-free methods, or files
            that `datnet train` wrote.
        encoder: Encoder of all networks; by default that of a file's training, or the papers'
            VGG-19.

    Returns:
        The networks in the order of the names, with distinct titles.

    Raises:
        DatNetError: If a name is unknown or given twice, or a file is no network.
    """
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise DatNetError(f"{repeated[0]} is given twice")
    found = [_find(name, encoder) for name in names]
    titles = [candidate.title for candidate in found]
    return [
        candidate if titles.count(candidate.title) == 1 else replace(candidate, title=name)
        for name, candidate in zip(names, found, strict=True)
    ]


def _find(name: str, encoder: Architecture | None) -> Candidate:
    if model := model_config(name):
        return Candidate(name, model["network"], encoder or PAPERS_ENCODER)
    if name in PUBLISHED and not Path(name).exists():
        description = PUBLISHED[name].description
    elif name in TRAINING_FREE and not Path(name).exists():
        description = TRAINING_FREE[name]
    elif Path(name).exists():
        description = read_description(find_network(name))
    else:
        choices = sorted({*model_names(), *PUBLISHED, *TRAINING_FREE})
        near = difflib.get_close_matches(name, choices, n=1)
        hint = f"did you mean {near[0]}?" if near else f"names are: {', '.join(choices)}"
        raise DatNetError(f"{name} is neither a network of conf/model nor a file; {hint}")
    own = PAPERS_ENCODER if name in METHODS else description.encoder.get("arch", PAPERS_ENCODER)
    return of_few_steps(Candidate(description.name, description.network, encoder or own))


def of_few_steps(candidate: Candidate) -> Candidate:
    """Limit a method that optimizes pixels to ``MEASURED_STEPS``; return others unchanged."""
    if not takes_steps(candidate.network):
        return candidate
    network = {**candidate.network, "steps": MEASURED_STEPS}
    title = f"{candidate.title}, {MEASURED_STEPS} steps"
    return Candidate(title, network, candidate.encoder)


def with_fast_attention(candidate: Candidate) -> Candidate:
    """Return the network with fast attention, with a title of its own."""
    return replace(candidate, title=f"{candidate.title}, fast attention", attention="fast")


def random_pictures(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return a content and a style image of uniform noise, the same at every call.

    Args:
        size: Side of the images in pixels.
        device: Where to put them.

    Returns:
        Two tensors ``(1, 3, size, size)`` in [0, 1].
    """
    generator = torch.Generator().manual_seed(0)
    content, style = torch.rand(2, 1, 3, size, size, generator=generator).to(device)
    return content, style
