"""CAP-VSTNet: Content Affinity Preserved Versatile Style Transfer.

Linfeng Wen, Chengying Gao and Changqing Zou, CVPR 2023, arXiv 2303.17867.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datnet.networks.base import StyleTransferNetwork, extend_to_multiple, weighted_sum
from datnet.networks.ops.reversible import REDUCTION, ReversibleNetwork
from datnet.networks.ops.whitening import cholesky_moments, recolour
from datnet.networks.statistics import full_precision

SMALLEST_REGION = 11
"""Positions that a region must have for a covariance of its own."""

LARGEST_RATIO = 100
"""Regions that differ in size by this factor or more are not matched."""


class CAPVSTNet(StyleTransferNetwork):
    """A reversible network encodes and, run backwards, paints; what changes is a covariance.

    Content cannot get lost on the way, and a linear transform of all positions alike keeps what is
    similar similar (content affinity), which is what photographs need. Transfer gives the maps of
    the content the channel means and the channel covariance of the style's, by Cholesky factors
    (cWCT). No VGG is needed but for training. 4 089 936 parameters.

    Half precision would break reversibility; the network computes in at least float32, also under
    autocast, and the covariances in float64. Decoding an encoded image returns it to 1e-5.

    Any size works: sides that are no multiple of 4, at which the published code fails, are extended
    by reflection at the right and at the bottom, and the painting is cropped.

    Args:
        spreads: See :class:`~datnet.networks.ops.reversible.ReversibleNetwork`.
    """

    def __init__(self, spreads: int) -> None:
        super().__init__()
        self.reversible = ReversibleNetwork(spreads)

    def encode(self, images: Tensor) -> Tensor:
        """The maps of images ``(B, 3, H, W)``, at least float32."""
        with torch.autocast(images.device.type, enabled=False):
            return self.reversible(extend_to_multiple(full_precision(images), REDUCTION))

    def decode(self, maps: Tensor, size: Sequence[int]) -> Tensor:
        """Images ``(B, 3, *size)`` of such maps, not clamped."""
        with torch.autocast(maps.device.type, enabled=False):
            return self.reversible.inverse(maps)[:, :, : size[0], : size[1]]

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """[maps]."""
        return [self.encode(images)]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """[means ``(B, C, 1)``, Cholesky factors ``(B, C, C)``] of the maps, float64."""
        return list(cholesky_moments(self.encode(images)))

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Paint from encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The means and the factors of all styles are averaged, which averages the transferred maps.
        These are blended with the content's below an ``alpha`` of 1; at 0 the result is the
        content.
        """
        (content,) = content_features
        means, factors = zip(*styles, strict=True)
        maps = recolour(content, weighted_sum(means, weights), weighted_sum(factors, weights))
        return self.decode(torch.lerp(content, maps, alpha), size)

    def generate_by_region(
        self,
        content_features: Sequence[Tensor],
        style_maps: Tensor,
        content_labels: Tensor,
        style_labels: Tensor,
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Paint every region of the content like the style's region of the same label.

        Sky like sky, skin like skin. A region of the content stays as it is if the style has none
        of its label, if either has fewer than ``SMALLEST_REGION`` positions, or if their sizes
        differ by a factor of ``LARGEST_RATIO`` or more, as published.

        Args:
            content_features: From :meth:`encode_content`.
            style_maps: From :meth:`encode`, of style images ``(B, 3, Hs, Ws)``.
            content_labels: Integers ``(B, H, W)``, one for every pixel of the content images.
            style_labels: Integers ``(B, Hs, Ws)``.
            size: Height and width of the content images.
            alpha: Strength of the style, 0 to 1.

        Returns:
            Images ``(B, 3, *size)``, not clamped.

        Raises:
            ValueError: If labels are not of the size of their images.
        """
        (content,) = content_features
        content_labels = labels_of_maps(content_labels, content)
        style_labels = labels_of_maps(style_labels, style_maps)
        maps = [
            recolour_regions(*each)
            for each in zip(content, style_maps, content_labels, style_labels, strict=True)
        ]
        return self.decode(torch.lerp(content, torch.stack(maps), alpha), size)


class CAPVSTNetPhotorealistic(CAPVSTNet):
    """CAP-VSTNet for photographs: 32 maps at the image's size."""

    def __init__(self) -> None:
        super().__init__(spreads=2)


class CAPVSTNetArtistic(CAPVSTNet):
    """CAP-VSTNet for paintings: 128 maps at half of the image's sides."""

    def __init__(self) -> None:
        super().__init__(spreads=1)


def labels_of_maps(labels: Tensor, maps: Tensor) -> Tensor:
    """The label of every position of maps ``(B, C, h, w)``, ``(B, h, w)``.

    Args:
        labels: Integers ``(B, H, W)``, one for every pixel of the images that the maps are of.
        maps: From :meth:`CAPVSTNet.encode`.

    Raises:
        ValueError: If the maps are of other images.
    """
    as_images = labels[:, None].double()  # torch reflects no integers
    extended = extend_to_multiple(as_images, REDUCTION)[:, 0]
    stride = max(1, extended.shape[-1] // maps.shape[-1])
    reduced = extended[:, ::stride, ::stride]
    if labels.is_floating_point() or reduced.shape != (len(maps), *maps.shape[2:]):
        raise ValueError(
            f"labels are {labels.dtype} of shape {tuple(labels.shape)}; they must be integers, "
            "(B, H, W), one for every pixel of the images"
        )
    return reduced


def recolour_regions(
    content: Tensor, style: Tensor, content_labels: Tensor, style_labels: Tensor
) -> Tensor:
    """Give every region of content maps the means and the covariance of the style's region.

    Args:
        content: Maps of one image ``(C, H, W)``.
        style: Maps of one image ``(C, Hs, Ws)``.
        content_labels: ``(H, W)``.
        style_labels: ``(Hs, Ws)``.

    Returns:
        Maps ``(C, H, W)``.
    """
    result = content.clone()
    for label in content_labels.unique():
        here, there = content_labels == label, style_labels == label
        smaller, larger = sorted((int(here.sum()), int(there.sum())))
        if smaller >= SMALLEST_REGION and larger < LARGEST_RATIO * smaller:
            moments = cholesky_moments(style[None, :, there, None])
            result[:, here] = recolour(content[None, :, here, None], *moments)[0, :, :, 0]
    return result
