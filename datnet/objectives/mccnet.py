"""The objective of MCCNet (Deng et al., AAAI 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from datnet.networks.mccnet import MCCNet
from datnet.networks.statistics import full_precision
from datnet.objectives import terms
from datnet.objectives.base import Objective
from datnet.objectives.identity import stylize_and_compare

NOISE_STD = (0.01, 0.02)
"""Smallest and largest standard deviation of the illumination noise, for pixels in [0, 1]."""


class MCCNetObjective(Objective[MCCNet]):
    """SANet's losses, an illumination loss and total variation.

    Illumination: noise on the content should not change the result, which keeps the frames of a
    video consistent.

    Args:
        content: Weight of the content loss at normalized relu4_1 and relu5_1.
        global_style: Weight of the style loss at relu1_1 … relu5_1.
        identity_pixels: Weight of the pixel distance between an image and its reconstruction with
            itself as style, for content and style images.
        identity_features: Weight of the same distance in features of all levels.
        illumination: Weight of the pixel distance between results of content with and without
            noise.
        total_variation: Weight of the total variation, per image. The published sum over a batch of
            8 with weight 1e-4 corresponds to 8e-4 here, for any batch size. It is a sum over
            pixels, and the published weight is for crops of 256 × 256.
    """

    def __init__(
        self,
        content: float = 3.0,
        global_style: float = 10.0,
        identity_pixels: float = 70.0,
        identity_features: float = 1.0,
        illumination: float = 3000.0,
        total_variation: float = 8e-4,
    ) -> None:
        super().__init__(
            {
                "content": content,
                "global_style": global_style,
                "identity_pixels": identity_pixels,
                "identity_features": identity_features,
                "illumination": illumination,
                "total_variation": total_variation,
            }
        )

    def terms(self, network: MCCNet, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """SANet's terms, the illumination loss with noisy content, and the total variation.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            ``content``, ``global_style``, ``identity_pixels``, ``identity_features``,
            ``illumination`` and ``total_variation``, unweighted scalars; terms of weight 0 are left
            out.
        """
        painting = stylize_and_compare(network, content, style, self.weights)
        result = dict(painting.terms)
        if "illumination" in self.weights:
            std = torch.empty((), device=content.device).uniform_(*NOISE_STD)
            with torch.no_grad():
                noisy_features = network.encode_content(content + std * torch.randn_like(content))
            noisy = network.generate(noisy_features, painting.style_features, content.shape[2:])
            result["illumination"] = terms.squared_error(noisy, painting.output)
        if "total_variation" in self.weights:
            result["total_variation"] = total_variation(painting.output)
        return {name: result[name] for name in self.weights}


def total_variation(images: Tensor) -> Tensor:
    """Absolute differences of neighboring pixels, summed over each image, averaged over the batch.

    Args:
        images: ``(B, C, H, W)``.

    Returns:
        A scalar, at least float32.
    """
    images = full_precision(images)
    across = images.diff(dim=3).abs().sum()
    down = images.diff(dim=2).abs().sum()
    return (across + down) / len(images)
