"""Networks of random weights that know certain paintings, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from datnet import Stylizer
from datnet.images.tensors import to_tensor
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.cin import CIN
from datnet.networks.johnson import Johnson
from datnet.networks.microast import MicroAST
from datnet.networks.own_paintings import OwnStyleNetwork
from datnet.training.tuning import save_tuned
from datnet.zoo.network_file import NetworkDescription

PAINTINGS = {
    "a.jpg": Image.new("RGB", (90, 90), "navy"),
    "more/b.jpg": Image.radial_gradient("L").resize((80, 80)).convert("RGB"),
}


def own_stylizers(folder: Path) -> dict[str, Stylizer]:
    """A johnson that knows one of the paintings, a cin that knows both, and a tuned network."""
    torch.manual_seed(0)
    cin = CIN(list(PAINTINGS))
    with torch.no_grad():
        cin.layers[-1].norm.shift[1] += 1  # so that the second painting differs
    return {
        "one": own_stylizer(Johnson(["a.jpg"]), ["a.jpg"], folder / "one.safetensors"),
        "two": own_stylizer(cin, list(PAINTINGS), folder / "two.safetensors"),
        "tuned": own_stylizer(MicroAST(), ["a.jpg"], folder / "tuned.safetensors"),
    }


def own_stylizer(network: StyleTransferNetwork, names: list[str], path: Path) -> Stylizer:
    """A network that knows these paintings, from its file."""
    kind = type(network)
    settings: dict[str, Any] = {"_target_": f"{kind.__module__}.{kind.__name__}"}
    if isinstance(network, OwnStyleNetwork):
        settings["paintings"] = names
        for name in names:
            network.paintings.show(name, to_tensor(PAINTINGS[name]))
    description = NetworkDescription(path.stem, settings, {}, {"paintings": names})
    save_tuned(network, {name: PAINTINGS[name] for name in names}, description, path)
    return Stylizer(path, "cpu")
