"""All trainable networks with their objectives and images."""

from __future__ import annotations

import torch

from datnet.networks.adain import AdaIN
from datnet.networks.artflow import ArtFlowAdaIN, ArtFlowWCT
from datnet.networks.base import (
    EncoderDecoderNetwork,
    StyleTransferNetwork,
)
from datnet.networks.cap_vstnet import CAPVSTNetArtistic, CAPVSTNetPhotorealistic
from datnet.networks.cin import CIN
from datnet.networks.datnet import DatNet
from datnet.networks.johnson import Johnson
from datnet.networks.manet import MANet
from datnet.networks.mccnet import MCCNet
from datnet.networks.microast import MicroAST
from datnet.networks.own_paintings import OwnStyleNetwork
from datnet.networks.sanet import SANet
from datnet.networks.stytr2 import StyTr2
from datnet.networks.vgg import VggEncoder
from datnet.objectives.adain import AdaINObjective
from datnet.objectives.artflow import ArtFlowObjective
from datnet.objectives.base import Objective
from datnet.objectives.cap_vstnet import CAPVSTNetObjective
from datnet.objectives.datnet import DatNetObjective
from datnet.objectives.manet import MANetObjective
from datnet.objectives.mccnet import MCCNetObjective
from datnet.objectives.microast import MicroASTObjective
from datnet.objectives.perceptual import PerceptualObjective
from datnet.objectives.sanet import SANetObjective
from datnet.objectives.stytr2 import StyTr2Objective

METHODS = {
    "adain": (AdaIN, AdaINObjective),
    "sanet": (SANet, SANetObjective),
    "manet": (MANet, MANetObjective),
    "mccnet": (MCCNet, MCCNetObjective),
    "microast": (MicroAST, MicroASTObjective),
    "artflow_adain": (ArtFlowAdaIN, ArtFlowObjective),
    "artflow_wct": (ArtFlowWCT, ArtFlowObjective),
    "stytr2": (StyTr2, StyTr2Objective),
    "cap_vstnet_photorealistic": (CAPVSTNetPhotorealistic, CAPVSTNetObjective),
    "cap_vstnet_artistic": (CAPVSTNetArtistic, CAPVSTNetObjective),
    "datnet": (DatNet, DatNetObjective),
    "johnson": (Johnson, PerceptualObjective),
    "cin": (CIN, PerceptualObjective),
}

ARBITRARY = [
    name for name, (network, _) in METHODS.items() if not issubclass(network, OwnStyleNetwork)
]
"""Those that take any painting."""


def make(method: str, encoder: VggEncoder) -> tuple[StyleTransferNetwork, Objective]:
    """A network and its objective, of which at least one uses the encoder."""
    torch.manual_seed(1)
    network_class, objective_class = METHODS[method]
    if issubclass(network_class, EncoderDecoderNetwork):
        return network_class(encoder), objective_class()
    return network_class(), objective_class(encoder)


def images(count: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 4, 4, generator=generator)
    return torch.nn.functional.interpolate(small, (height, width), mode="bicubic").clamp(0, 1)
