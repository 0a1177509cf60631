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
from datnet.networks.ops.whitening import whiten_and_color
from datnet.networks.statistics import full_precision


class ArtFlow(StyleTransferNetwork):
    """Reversible flow as encoder and decoder, with AdaIN or WCT on its latent features.

    The flow maps an image to 48 channels at a quarter of its sides without loss of information.
    Transfer changes the statistics of these features, and the inverse flow decodes them. The result
    encodes to exactly the transferred features (for sides that are multiples of 4), so there is no
    content leak: stylizing again, or back with the content's own style, does not drift. VGG is
    needed for training only. 6 463 616 parameters; the 26.46 M in DatNet's Table 2 include the
    20.02 M of a whole VGG-19.

    The network computes in at least float32, also under autocast: half precision would break
    reversibility, since the inverse amplifies rounding errors. Encoding and decoding reconstructs
    an image to 1e-5, or to 1e-4 if torch allows TF32 in convolutions.

    Any image size works. Sides that are not multiples of 4, for which the published code fails, are
    padded by reflection on the right and at the bottom, and the result is cropped. The padding of a
    result differs slightly from the padding of its content, so at such sizes repeated stylization
    drifts a little (median of 0.01 per pixel).

    The first content batch of a training initializes the flow's ActNorm layers and is then trained
    on like any other; the published code skips this step. ``alpha`` is not in the paper.
    """

    seam = "its layers are trained to see the border of the picture"

    def __init__(self) -> None:
        super().__init__()
        self.flow = Flow()

    @abstractmethod
    def transfer(self, content: Tensor, style: Tensor) -> Tensor:
        """Give the content's latent features the statistics of the style's.

        Args:
            content: ``(B, 48, H/4, W/4)``.
            style: ``(B, 48, Hs/4, Ws/4)``.

        Returns:
            ``(B, 48, H/4, W/4)``.
        """

    def encode(self, images: Tensor) -> list[Tensor]:
        """Latent features of images ``(B, 3, H, W)``: ``[(B, 48, ⌈H/4⌉, ⌈W/4⌉)]``."""
        with torch.autocast(images.device.type, enabled=False):
            return [self.flow(extend_to_multiple(full_precision(images), self.flow.reduction))]

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """Latent features; the encoder is the same for content and style."""
        return self.encode(images)

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """Latent features; the encoder is the same for content and style."""
        return self.encode(images)

    def decode(self, latent: Tensor, size: Sequence[int]) -> Tensor:
        """Inverse of :meth:`encode`.

        Args:
            latent: ``(B, 48, ⌈H/4⌉, ⌈W/4⌉)``.
            size: Height and width of the images.

        Returns:
            Images ``(B, 3, *size)``, not clamped.
        """
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
        """Stylize encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The transferred features of all styles are averaged. With ``alpha`` below 1 they are blended
        with the features of the content transferred to itself: for AdaIN these are the content's
        features, while WCT drops directions of almost no variance.
        """
        (content,) = content_features
        latent = weighted_sum([self.transfer(content, style) for (style,) in styles], weights)
        if isinstance(alpha, Tensor) or alpha < 1:
            latent = torch.lerp(self.transfer(content, content), latent, alpha)
        return self.decode(latent, size)


class ArtFlowAdaIN(ArtFlow):
    """ArtFlow with AdaIN: the latent features get the style's channel mean and std."""

    def transfer(self, content: Tensor, style: Tensor) -> Tensor:
        """AdaIN of the latent features."""
        return adaptive_instance_norm(content, style)


class ArtFlowWCT(ArtFlow):
    """ArtFlow with WCT: the latent features get the style's channel mean and covariance.

    Each image is transformed separately. The published code mixes samples and channels of a batch,
    and its WCT model was trained this way.
    """

    def transfer(self, content: Tensor, style: Tensor) -> Tensor:
        """Whitening and coloring transform of the latent features."""
        return whiten_and_color(content, style)
