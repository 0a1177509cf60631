"""A straightforward DatNet, written from the paper's equations, as a baseline for speed.

It has the same weights and result, without optimizations: attention with the full matrix of
query–key pairs, keys resized and normalized again for each level, images encoded again by the loss,
and PyTorch's convolutions.
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
    """Return channel means and standard deviations, each ``(B, C, 1, 1)``."""
    variance, mean = torch.var_mean(maps, (2, 3), keepdim=True)
    return mean, (variance + 1e-5).sqrt()


def normalize_channels(maps: Tensor) -> Tensor:
    """Normalize each channel to mean 0 and standard deviation 1."""
    mean, std = channel_mean_std(maps)
    return (maps - mean) / std


def attention_moments(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Equations (4) to (6) with the matrix of all query–key pairs.

    Args:
        query: ``(B, K, N)``.
        key: ``(B, K, M)``.
        value: ``(B, C, M)``.

    Returns:
        Mean and standard deviation, each ``(B, C, N)``.
    """
    weights = torch.softmax(query.mT @ key, dim=-1)
    mean = value @ weights.mT
    variance = torch.relu(value.square() @ weights.mT - mean.square())
    return mean, (variance + 1e-10).sqrt()


def adaptive_attention_norm(content: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Equation (7): adaptive attention normalization.

    Args:
        content: ``(B, C, H, W)``.
        query: ``(B, K, H, W)``.
        key: ``(B, K, H', W')``.
        value: ``(B, C, H', W')``.

    Returns:
        ``(B, C, H, W)``.
    """
    mean, std = attention_moments(query.flatten(2), key.flatten(2), value.flatten(2))
    return std.view(content.shape) * normalize_channels(content) + mean.view(content.shape)


def attention_key(features: list[Tensor], level: int) -> Tensor:
    """Equation (2): normalized features of all levels up to one, at its size.

    Args:
        features: relu1_1 … relu5_1.
        level: 1 to 5.

    Returns:
        ``(B, K, H, W)``.
    """
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
        network: The network whose weights are copied.
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
        """Return relu1_1 … relu5_1."""
        features = []
        for stage in self.network.encoder.stages:
            images = stage(images)
            features.append(images)
        return features

    def paint(self, content_images: Tensor, style_images: Tensor) -> Tensor:
        """Stylize images.

        Args:
            content_images: ``(B, 3, H, W)`` in [0, 1].
            style_images: ``(B, 3, H', W')`` in [0, 1].

        Returns:
            Images ``(B, 3, H, W)``, not clamped.
        """
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
        """Equations (3) to (7) at one level.

        Args:
            attention: The attention module of the level.
            content: Features of the content at all levels.
            style: Features of the style at all levels.
            level: 3 to 5.

        Returns:
            Features of the content's size.
        """
        return adaptive_attention_norm(
            content[level - 1],
            attention.query(attention_key(content, level)),
            attention.key(attention_key(style, level)),
            attention.value(style[level - 1]),
        )

    def forward(self, content: Tensor, style: Tensor) -> Tensor:
        """Stylize images.

        Args:
            content: ``(B, 3, H, W)`` in [0, 1].
            style: ``(B, 3, H', W')`` in [0, 1].

        Returns:
            Images ``(B, 3, H, W)`` in [0, 1].
        """
        return self.paint(content, style).clamp(0, 1)

    def loss(self, objective: DatNetObjective, content: Tensor, style: Tensor) -> Tensor:
        """Equation (8); each term encodes its images again.

        Args:
            objective: Gives the weights of the terms.
            content: ``(B, 3, H, W)`` in [0, 1].
            style: ``(B, 3, H', W')`` in [0, 1].

        Returns:
            The weighted sum, a scalar.
        """
        stylized = self.paint(content, style)
        restored = self.paint(content, content)
        terms = {
            "local_feature": self.local_feature(stylized, content, style),
            "global_style": self.global_style(stylized, style),
            "content_restoration": self.content_restoration(restored, content),
        }
        return objective.total(terms)

    def local_feature(self, stylized: Tensor, content: Tensor, style: Tensor) -> Tensor:
        """Equation (10): local feature loss.

        Args:
            stylized: Results ``(B, 3, H, W)``.
            content: ``(B, 3, H, W)`` in [0, 1].
            style: ``(B, 3, H', W')`` in [0, 1].

        Returns:
            A scalar.
        """
        features = self.encode(stylized)
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
            start=stylized.new_zeros(()),
        )

    def global_style(self, stylized: Tensor, style: Tensor) -> Tensor:
        """Equation (9): global style loss.

        Args:
            stylized: Results ``(B, 3, H, W)``.
            style: ``(B, 3, H', W')`` in [0, 1].

        Returns:
            A scalar.
        """
        total = stylized.new_zeros(())
        features, of_style = self.encode(stylized), self.encode(style)
        for maps, style_maps in zip(features[1:], of_style[1:], strict=True):
            for ours, theirs in zip(
                channel_mean_std(maps), channel_mean_std(style_maps), strict=True
            ):
                total = total + F.mse_loss(ours, theirs)
        return total

    def content_restoration(self, restored: Tensor, content: Tensor) -> Tensor:
        """Equation (11): content restoration loss.

        Args:
            restored: Results with the content as style, ``(B, 3, H, W)``.
            content: ``(B, 3, H, W)`` in [0, 1].

        Returns:
            A scalar.
        """
        pairs = zip(self.encode(restored), self.encode(content), strict=True)
        return sum((F.mse_loss(ours, theirs) for ours, theirs in pairs), restored.new_zeros(()))
