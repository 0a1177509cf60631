"""Networks whose cost is measured: found by name or file, built with random weights.

What a network computes does not depend on its weights, so nothing has to be trained or fetched.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datnet.errors import DatNetError
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.vgg import Architecture, VggEncoder
from datnet.zoo.configs import model_config, model_names
from datnet.zoo.lookup import network_file
from datnet.zoo.network_file import build_network, read_description
from datnet.zoo.published import PUBLISHED
from datnet.zoo.training_free import METHODS, TRAINING_FREE, takes_steps

PAPERS_ENCODER: Architecture = "vgg19"

MEASURED_STEPS = 3
"""Steps of a method that optimises the pixels. All cost the same, and hundreds would take hours."""


@dataclass(frozen=True)
class Candidate:
    """A network as it can be built in any process.

    Attributes:
        title: What tables call it.
        network: ``_target_`` and settings of its class.
        encoder: Architecture of its encoder, "vgg19" or "vgg16", if it takes one.
    """

    title: str
    network: dict[str, Any]
    encoder: Architecture = PAPERS_ENCODER

    def build(self, encoder: VggEncoder | None = None) -> StyleTransferNetwork:
        """Build it on the CPU with random weights, always the same, in evaluation mode.

        Args:
            encoder: One to share between networks; by default a new one with random weights.

        Raises:
            DatNetError: If its class cannot be found, is no network or refuses its settings.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = build_network(self.network, lambda: encoder or VggEncoder(self.encoder))
        return network.eval().to(memory_format=torch.channels_last)  # as load_network does


def all_names() -> list[str]:
    """Names of all networks in conf/model, and of the methods that need no training."""
    return [*model_names(), *METHODS]


def find_candidates(names: Sequence[str], encoder: Architecture | None = None) -> list[Candidate]:
    """Find networks.

    Args:
        names: Names in conf/model, names of published networks and of methods without training,
            and files that `datnet train` wrote.
        encoder: Encoder of all; by default that of a file's training, else the papers' VGG-19.

    Raises:
        DatNetError: If a name is unknown or given twice, or a file is no network.
    """
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise DatNetError(f"{repeated[0]} is given twice")
    found = [_find(name, encoder) for name in names]
    titles = [candidate.title for candidate in found]
    return [
        candidate
        if titles.count(candidate.title) == 1
        else Candidate(name, candidate.network, candidate.encoder)
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
        description = read_description(network_file(name))
    else:
        choices = sorted({*model_names(), *PUBLISHED, *TRAINING_FREE})
        near = difflib.get_close_matches(name, choices, n=1)
        hint = f"did you mean {near[0]}?" if near else f"names are: {', '.join(choices)}"
        raise DatNetError(f"{name} is neither a network of conf/model nor a file; {hint}")
    own = PAPERS_ENCODER if name in METHODS else description.encoder.get("arch", PAPERS_ENCODER)
    return of_few_steps(Candidate(description.name, description.network, encoder or own))


def of_few_steps(candidate: Candidate) -> Candidate:
    """A method that optimises the pixels, with so few steps that it can be measured."""
    if not takes_steps(candidate.network):
        return candidate
    network = {**candidate.network, "steps": MEASURED_STEPS}
    title = f"{candidate.title}, {MEASURED_STEPS} steps"
    return Candidate(title, network, candidate.encoder)


def random_pictures(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """A content and a style image of noise, each ``(1, 3, size, size)``."""
    generator = torch.Generator().manual_seed(0)
    content, style = torch.rand(2, 1, 3, size, size, generator=generator).to(device)
    return content, style
