"""ArtFlow: Unbiased Image Style Transfer via Reversible Neural Flows.

Jie An, Siyu Huang, Yibing Song, Dejing Dou, Wei Liu and Jiebo Luo, CVPR 2021, arXiv 2103.16877.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from datnet.networks.adain import adaptive_instance_norm
from datnet.networks.base import StyleTransferNetwork, extend_to_multiple, weighted_sum
from datnet.networks.flow import Flow
from datnet.networks.ops.whitening import whiten_and_colour
from datnet.networks.statistics import full_precision


class ArtFlow(StyleTransferNetwork):
    """One reversible network encodes and, run backwards, paints: content cannot get lost.

    An image becomes 48 maps at a quarter of its sides, which hold all of it. Transfer changes their
    statistics, and what :meth:`generate` paints encodes to exactly the changed maps, where both
    sides are multiples of 4: a painting can be given its content's own style back, or be painted
    again and again, without drifting. No VGG is needed but for training. 6 463 616 parameters; the
    26.46 M of DatNet's Table 2 are these and the 20.02 M of a whole VGG-19.

    Half precision would break reversibility, since the inverse magnifies rounding; the network
    computes in at least float32, also under autocast. Decoding an encoded image returns it to 1e-5;
    where torch lets convolutions use TF32, to 1e-4.

    Any size works: sides that are no multiple of 4, at which the published code fails, are extended
    by reflection at the right and at the bottom, and the painting is cropped. The extension of a
    painting is not quite that of its content, so there repeated painting drifts a little (median of
    a pixel 0.01).

    The first content batch of a training initialises the flow's normalisation and then trains it
    like any other, while the published code skips the first step. ``alpha`` is no part of the
    paper.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flow = Flow()

    @abstractmethod
    def transfer(self, content: Tensor, style: Tensor) -> Tensor:
        """Give the content's maps ``(B, 48, H/4, W/4)`` the statistics of the style's."""

    def encode(self, images: Tensor) -> list[Tensor]:
        """The maps of images ``(B, 3, H, W)``: ``[(B, 48, ⌈H/4⌉, ⌈W/4⌉)]``."""
        with torch.autocast(images.device.type, enabled=False):
            return [self.flow(extend_to_multiple(full_precision(images), self.flow.reduction))]

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """Content and style are encoded alike."""
        return self.encode(images)

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """Content and style are encoded alike."""
        return self.encode(images)

    def decode(self, latent: Tensor, size: Sequence[int]) -> Tensor:
        """Images ``(B, 3, *size)`` that :meth:`encode` makes these maps of, not clamped."""
        with torch.autocast(latent.device.type, enabled=False):
            return self.flow.inverse(latent)[:, :, : size[0], : size[1]]

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Paint from encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The transferred maps of all styles are averaged. Below an ``alpha`` of 1 they are blended
        with those of the content transferred to itself. By AdaIN that is the content; WCT leaves
        out directions of next to no variance.
        """
        (content,) = content_features
        latent = weighted_sum([self.transfer(content, style) for (style,) in styles], weights)
        if isinstance(alpha, Tensor) or alpha < 1:
            latent = torch.lerp(self.transfer(content, content), latent, alpha)
        return self.decode(latent, size)


class ArtFlowAdaIN(ArtFlow):
    """ArtFlow whose maps take the style's channel means and deviations (AdaIN)."""

    def transfer(self, content: Tensor, style: Tensor) -> Tensor:
        """Means and deviations of every channel."""
        return adaptive_instance_norm(content, style)


class ArtFlowWCT(ArtFlow):
    """ArtFlow whose maps take the style's channel means and covariance (WCT).

    Every image is transformed by itself. The published code mixes the images of a batch and, with
    them, the channels, and its WCT model was trained so.
    """

    def transfer(self, content: Tensor, style: Tensor) -> Tensor:
        """Means and covariance of the channels."""
        return whiten_and_colour(content, style)
