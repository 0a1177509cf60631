"""DatNet as one writes it down from the paper, to measure ours against.

The same weights and the same result, but every step by itself: attention as one matrix over all
pairs of positions, keys resized and normalised for each level anew, the loss encoding again what
the network has encoded, convolutions by PyTorch.
"""

from __future__ import annotations

import copy
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.attention import AdaptiveAttentionNorm
from datnet.networks.datnet import DatNet
from datnet.networks.ops.convolution import Convolution
from datnet.objectives.datnet import DatNetObjective


def channel_mean_std(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Means and standard deviations ``(B, C, 1, 1)``."""
    variance, mean = torch.var_mean(maps, (2, 3), keepdim=True)
    return mean, (variance + 1e-5).sqrt()


def normalize_channels(maps: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 for every channel."""
    mean, std = channel_mean_std(maps)
    return (maps - mean) / std


def attention_moments(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Equations (4) to (6) with the matrix of all pairs of positions."""
    weights = torch.softmax(query.mT @ key, dim=-1)
    mean = value @ weights.mT
    variance = torch.relu(value.square() @ weights.mT - mean.square())
    return mean, (variance + 1e-10).sqrt()


def adaptive_attention_norm(content: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Equation (7)."""
    mean, std = attention_moments(query.flatten(2), key.flatten(2), value.flatten(2))
    return std.view(content.shape) * normalize_channels(content) + mean.view(content.shape)


def attention_key(features: list[Tensor], level: int) -> Tensor:
    """Equation (2)."""
    size = features[level - 1].shape[2:]
    return torch.cat(
        [
            normalize_channels(F.interpolate(maps, size, mode="bilinear"))
            for maps in features[:level]
        ],
        dim=1,
    )


class PlainDatNet(nn.Module):
    """A DatNet computed step by step.

    Args:
        network: Gives the weights, which are copied.
    """

    def __init__(self, network: DatNet) -> None:
        super().__init__()
        self.network = copy.deepcopy(network)
        for module in self.network.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = False
            if isinstance(module, Convolution):
                module.forward = partial(nn.Conv2d.forward, module)

    def encode(self, images: Tensor) -> list[Tensor]:
        """relu1_1 … relu5_1."""
        features = []
        for stage in self.network.encoder.stages:
            images = stage(images)
            features.append(images)
        return features

    def paint(self, content_images: Tensor, style_images: Tensor) -> Tensor:
        """Images, not clamped."""
        network = self.network
        content, style = self.encode(content_images), self.encode(style_images)
        if network.channel_attention is not None:
            content, style = (
                [attend(maps) for attend, maps in zip(network.channel_attention, of, strict=True)]
                for of in (content, style)
            )
        level3 = self.attend(network.attention3, content, style, 3)
        level4 = self.attend(network.attention4, content, style, 4)
        level5 = self.attend(network.attention5, content, style, 5)
        height, width = level4.shape[2:]
        merged = network.merge(
            level4 + F.interpolate(level5, scale_factor=2)[:, :, :height, :width]
        )
        height, width = level3.shape[2:]
        enlarged = network.decoder.from_relu4(merged)[:, :, :height, :width]
        images = network.decoder.to_image(torch.cat([enlarged, level3], dim=1))
        return images[:, :, : content_images.shape[2], : content_images.shape[3]]

    def attend(
        self,
        attention: AdaptiveAttentionNorm,
        content: list[Tensor],
        style: list[Tensor],
        level: int,
    ) -> Tensor:
        """Equations (3) to (7) at one level."""
        return adaptive_attention_norm(
            content[level - 1],
            attention.query(attention_key(content, level)),
            attention.key(attention_key(style, level)),
            attention.value(style[level - 1]),
        )

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Images in [0, 1]."""
        return self.paint(content, style).clamp(0, 1)

    def loss(self, objective: DatNetObjective, content: Tensor, style: Tensor) -> Tensor:
        """Equation (8): every loss encodes what it compares."""
        painted = self.paint(content, style)
        restored = self.paint(content, content)
        terms = {
            "local_feature": self.local_feature(painted, content, style),
            "global_style": self.global_style(painted, style),
            "content_restoration": self.content_restoration(restored, content),
        }
        return objective.total(terms)

    def local_feature(self, painted: Tensor, content: Tensor, style: Tensor) -> Tensor:
        """Equation (10)."""
        features = self.encode(painted)
        with torch.no_grad():
            of_content, of_style = self.encode(content), self.encode(style)
            targets = {
                level: adaptive_attention_norm(
                    of_content[level - 1],
                    attention_key(of_content, level),
                    attention_key(of_style, level),
                    of_style[level - 1],
                )
                for level in (3, 4, 5)
            }
        return sum(
            (F.mse_loss(features[level - 1], target) for level, target in targets.items()),
            start=painted.new_zeros(()),
        )

    def global_style(self, painted: Tensor, style: Tensor) -> Tensor:
        """Equation (9)."""
        total = painted.new_zeros(())
        features, of_style = self.encode(painted), self.encode(style)
        for maps, style_maps in zip(features[1:], of_style[1:], strict=True):
            for ours, theirs in zip(
                channel_mean_std(maps), channel_mean_std(style_maps), strict=True
            ):
                total = total + F.mse_loss(ours, theirs)
        return total

    def content_restoration(self, restored: Tensor, content: Tensor) -> Tensor:
        """Equation (11)."""
        pairs = zip(self.encode(restored), self.encode(content), strict=True)
        return sum((F.mse_loss(ours, theirs) for ours, theirs in pairs), restored.new_zeros(()))
