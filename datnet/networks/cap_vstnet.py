"""CAP-VSTNet: Content Affinity Preserved Versatile Style Transfer.

Linfeng Wen, Chengying Gao and Changqing Zou, CVPR 2023, arXiv 2303.17867.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datnet.networks.base import StyleTransferNetwork, extend_to_multiple, weighted_sum
from datnet.networks.ops.reversible import REDUCTION, ReversibleNetwork
from datnet.networks.ops.whitening import cholesky_moments, recolor
from datnet.networks.statistics import full_precision

SMALLEST_REGION = 11
"""Minimum number of positions of a region for its own covariance."""

LARGEST_RATIO = 100
"""Regions whose sizes differ by this factor or more are not matched."""


class CAPVSTNet(StyleTransferNetwork):
    """Reversible residual network with Cholesky-based WCT (cWCT) on its features.

    The content's features get the channel mean and covariance of the style's, by Cholesky factors,
    and the inverse network decodes them. The network is reversible, so no content is lost, and the
    transform is one linear map for all positions, so similar pixels stay similar (content
    affinity), which photorealistic transfer needs. VGG is needed for training only. 4 089 936
    parameters.

    The network computes in at least float32, also under autocast: half precision would break
    reversibility. Covariances are float64. Encoding and decoding reconstructs an image to 1e-5.

    Any image size works. Sides that are not multiples of 4, for which the published code fails, are
    padded by reflection on the right and at the bottom, and the result is cropped.

    Args:
        spreads: See :class:`~datnet.networks.ops.reversible.ReversibleNetwork`.
    """

    def __init__(self, spreads: int) -> None:
        super().__init__()
        self.reversible = ReversibleNetwork(spreads)

    def encode(self, images: Tensor) -> Tensor:
        """Features of images ``(B, 3, H, W)``, at least float32."""
        with torch.autocast(images.device.type, enabled=False):
            return self.reversible(extend_to_multiple(full_precision(images), REDUCTION))

    def decode(self, maps: Tensor, size: Sequence[int]) -> Tensor:
        """Inverse of :meth:`encode`.

        Args:
            maps: Features ``(B, C, h, w)``.
            size: Height and width of the images.

        Returns:
            Images ``(B, 3, *size)``, not clamped.
        """
        with torch.autocast(maps.device.type, enabled=False):
            return self.reversible.inverse(maps)[:, :, : size[0], : size[1]]

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """[features]."""
        return [self.encode(images)]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """[means ``(B, C, 1)``, Cholesky factors ``(B, C, C)``] of the features, float64."""
        return list(cholesky_moments(self.encode(images)))

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Stylize encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The means and Cholesky factors of all styles are averaged; cWCT is linear in both, so this
        averages the transferred features. With ``alpha`` below 1 these are blended with the
        content's features; with 0 the result is the content.
        """
        (content,) = content_features
        means, factors = zip(*styles, strict=True)
        maps = recolor(content, weighted_sum(means, weights), weighted_sum(factors, weights))
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
        """Stylize each semantic region of the content with the style's region of the same label.

        A content region stays unchanged if the style has no region of its label, if either has
        fewer than ``SMALLEST_REGION`` positions, or if their sizes differ by a factor of
        ``LARGEST_RATIO`` or more, as published.

        Args:
            content_features: From :meth:`encode_content`.
            style_maps: From :meth:`encode`, for style images ``(B, 3, Hs, Ws)``.
            content_labels: Integers ``(B, H, W)``, one for each pixel of the content images.
            style_labels: Integers ``(B, Hs, Ws)``.
            size: Height and width of the content images.
            alpha: Style strength in [0, 1].

        Returns:
            Images ``(B, 3, *size)``, not clamped.

        Raises:
            ValueError: If labels are not integers of the size of their images.
        """
        (content,) = content_features
        content_labels = labels_of_maps(content_labels, content)
        style_labels = labels_of_maps(style_labels, style_maps)
        maps = [
            recolor_regions(*each)
            for each in zip(content, style_maps, content_labels, style_labels, strict=True)
        ]
        return self.decode(torch.lerp(content, torch.stack(maps), alpha), size)


class CAPVSTNetPhotorealistic(CAPVSTNet):
    """CAP-VSTNet for photographs: 32 channels at full resolution."""

    def __init__(self) -> None:
        super().__init__(spreads=2)


class CAPVSTNetArtistic(CAPVSTNet):
    """CAP-VSTNet for artistic styles: 128 channels at half of the image's sides."""

    def __init__(self) -> None:
        super().__init__(spreads=1)


def labels_of_maps(labels: Tensor, maps: Tensor) -> Tensor:
    """Downsample labels to the positions of the features.

    Args:
        labels: Integers ``(B, H, W)``, one for each pixel of the encoded images.
        maps: Features ``(B, C, h, w)`` from :meth:`CAPVSTNet.encode`.

    Returns:
        Labels ``(B, h, w)``, as float64.

    Raises:
        ValueError: If the labels are not integers or do not fit the features.
    """
    as_images = labels[:, None].double()  # torch has no reflection padding of integers
    extended = extend_to_multiple(as_images, REDUCTION)[:, 0]
    stride = max(1, extended.shape[-1] // maps.shape[-1])
    reduced = extended[:, ::stride, ::stride]
    if labels.is_floating_point() or reduced.shape != (len(maps), *maps.shape[2:]):
        raise ValueError(
            f"labels are {labels.dtype} of shape {tuple(labels.shape)}; they must be integers, "
            "(B, H, W), one for each pixel of the images"
        )
    return reduced


def recolor_regions(
    content: Tensor, style: Tensor, content_labels: Tensor, style_labels: Tensor
) -> Tensor:
    """Apply cWCT to each region of the content with the style's region of the same label.

    Args:
        content: Content features of one image ``(C, H, W)``.
        style: Style features of one image ``(C, Hs, Ws)``.
        content_labels: ``(H, W)``.
        style_labels: ``(Hs, Ws)``.

    Returns:
        Features ``(C, H, W)``.
    """
    result = content.clone()
    for label in content_labels.unique():
        here, there = content_labels == label, style_labels == label
        smaller, larger = sorted((int(here.sum()), int(there.sum())))
        if smaller >= SMALLEST_REGION and larger < LARGEST_RATIO * smaller:
            moments = cholesky_moments(style[None, :, there, None])
            result[:, here] = recolor(content[None, :, here, None], *moments)[0, :, :, 0]
    return result
