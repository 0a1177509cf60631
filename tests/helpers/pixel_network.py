"""A minimal style transfer network, fast and predictable, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from datnet.networks.adain import adaptive_instance_norm
from datnet.networks.base import StyleTransferNetwork, weighted_sum
from datnet.networks.ops.attention_map import QueriesAndKeys
from datnet.zoo.network_file import NetworkDescription, save_network


class PixelNetwork(StyleTransferNetwork):
    """Pixels get the channel means and standard deviations of the style's pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.tint = nn.Parameter(torch.zeros(3, 1, 1))

    def encode_content(self, images: Tensor) -> list[Tensor]:
        return [images]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        return [images]

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float = 1.0,
    ) -> Tensor:
        (content,) = content_features
        stylized = [adaptive_instance_norm(content, style) for (style,) in styles]
        return torch.lerp(content, weighted_sum(stylized, weights), alpha) + self.tint

    def attention_levels(
        self,
        content_features: Sequence[Tensor],
        style_features: Sequence[Tensor],
        style_size: Sequence[int],
    ) -> Iterator[QueriesAndKeys]:
        yield QueriesAndKeys("pixels", 1, content_features[0], style_features[0])


def write_pixel_network(path: Path) -> Path:
    """As `datnet train` writes networks."""
    network = {"_target_": "tests.helpers.pixel_network.PixelNetwork"}
    description = NetworkDescription("pixel", network, {})
    save_network(PixelNetwork(), description, path)
    return path
