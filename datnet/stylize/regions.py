"""Stylizes each region of a photograph with the region of the painting of the same color."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from datnet.errors import DatNetError
from datnet.images.opening import Picture, open_regions, region_labels
from datnet.images.tensors import to_tensor
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.cap_vstnet import CAPVSTNet

RegionMaps = tuple[Image.Image, Image.Image]
"""Region maps of content and style: pictures in which each region has a flat color."""


def open_region_maps(
    network: StyleTransferNetwork, name: str, maps: tuple[Picture, Picture]
) -> RegionMaps:
    """Open the region maps of content and style.

    Args:
        network: The network that will use them.
        name: Its name, for errors.
        maps: The maps, as files or pictures.

    Returns:
        The open maps.

    Raises:
        DatNetError: If a file cannot be read, the maps share no color, or the network cannot
            stylize by regions.
    """
    if not isinstance(network, CAPVSTNet):
        raise DatNetError(
            f"{name} cannot stylize by regions, only CAP-VSTNet can; a mask works with every "
            "network"
        )
    of_content, of_style = map(open_regions, maps)
    labels, others = (region_labels(each, each.size) for each in (of_content, of_style))
    if not torch.isin(labels, others).any():
        raise DatNetError(
            "the regions of content and style have no color in common; a region is "
            "stylized with the style region of the same color"
        )
    return of_content, of_style


def generate_by_region(
    network: StyleTransferNetwork,
    content_features: list[Tensor],
    painting: Image.Image,
    maps: RegionMaps,
    size: Sequence[int],
    alpha: float,
) -> Tensor:
    """Stylize each region with the style region of its color.

    Args:
        network: A network that :func:`open_region_maps` accepted.
        content_features: Its features of the content.
        painting: The style.
        maps: From :func:`open_region_maps`.
        size: Height and width of the content.
        alpha: Strength of the style in [0, 1].

    Returns:
        ``(1, 3, H, W)``.
    """
    assert isinstance(network, CAPVSTNet)
    device = content_features[0].device
    of_content, of_style = maps
    return network.generate_by_region(
        content_features,
        network.encode(to_tensor(painting)[None].to(device)),
        region_labels(of_content, (size[1], size[0])).to(device),
        region_labels(of_style, painting.size).to(device),
        size,
        alpha,
    )
