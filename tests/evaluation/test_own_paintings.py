"""An evaluation of a network that knows certain paintings."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from datnet.errors import DatNetError
from datnet.evaluation.encodings import Encodings
from datnet.networks.cin import CIN
from tests.helpers.methods import images


@torch.no_grad()
def test_the_painting_of_a_pair_chooses_the_embedding() -> None:
    pictures = {Path(f"{seed}.png"): images(1, 32, 32, seed=seed) for seed in range(4)}
    network = CIN(["one", "two"]).eval()
    for name, file in (("one", "1.png"), ("two", "2.png")):
        network.paintings.show(name, pictures[Path(file)][0])
    for parameter in network.style_parameters():
        nn.init.normal_(parameter, mean=1)
    targets = SimpleNamespace(
        size=32,
        device=torch.device("cpu"),
        metrics=SimpleNamespace(networks=nn.ModuleDict()),
        picture=lambda path: SimpleNamespace(pixels=pictures[path]),
    )
    encodings = Encodings(network, targets)  # type: ignore[arg-type]
    content = Path("0.png")
    first, second = (encodings.stylize(content, Path(name)) for name in ("1.png", "2.png"))
    assert torch.equal(first, network(pictures[content], pictures[Path("1.png")]))
    assert not torch.allclose(first, second)
    with pytest.raises(DatNetError, match=r"3.png: .* does not know this painting, only one, two"):
        encodings.stylize(content, Path("3.png"))
