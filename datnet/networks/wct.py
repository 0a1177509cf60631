"""WCT: Universal Style Transfer via Feature Transforms, with decoders in closed form.

Yijun Li, Chen Fang, Jimei Yang, Zhaowen Wang, Xin Lu and Ming-Hsuan Yang, NeurIPS 2017,
arXiv 1705.08086.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from datnet.networks.base import weighted_sum
from datnet.networks.linear_decoder import LeastSquares, LinearDecoder
from datnet.networks.ops.whitening import symmetric_moments, whiten_to
from datnet.networks.training_free import TrainingFreeNetwork
from datnet.networks.vgg import CHANNELS, VggEncoder

PUBLISHED_STRENGTH = 0.6

POSITIONS = 600
"""How many positions of every level and photograph the decoders are fitted to, at most."""

REDUCTION = 16
"""The stride of relu5_1."""

DEEPEST = 4
"""Published: 5, with the advice to begin at 4 where more of the content shall be kept."""


class WCT(TrainingFreeNetwork):
    """The channel covariance of the style, from relu4_1 to relu1_1, one level after the other.

    At every level the picture so far is encoded, its features are whitened, coloured with the mean
    and the covariance of the style's, and decoded to the picture that the next level begins with.

    The published decoders are trained networks. Here a decoder is the chain of the
    :class:`~datnet.networks.linear_decoder.LinearDecoder` of every level down to the image, fitted
    by least squares, so that nothing is trained. Such a chain D blurs what comes from deep levels;
    the picture x gets the change alone, ``x + D(coloured) - D(features)``. So what D cannot undo
    stays as it is in x, and with nothing coloured the result is the content itself. Results keep
    more of the content's edges and have less of the style's large shapes than published ones.
    relu5_1, where the published method begins, is undone so poorly that it brings blotches; it is
    left out unless ``deepest`` is 5.

    Random decoders paint noise: :meth:`prepare` fits them.

    Args:
        encoder: The frozen encoder.
        strength: The share of the coloured features at every level where ``alpha`` is 1, the α of
            the paper; 0.6 is the published code's.
        deepest: The level to begin with, 1 to 5.

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(
        self,
        encoder: VggEncoder,
        strength: float = PUBLISHED_STRENGTH,
        deepest: int = DEEPEST,
    ) -> None:
        super().__init__(encoder)
        if not 1 <= deepest <= len(CHANNELS):
            raise ValueError(f"deepest is {deepest}; it must be 1 to {len(CHANNELS)}")
        if not 0 < strength <= 1:
            raise ValueError(f"strength is {strength}; it must be above 0 and at most 1")
        self.strength = strength
        self.decoders = nn.ModuleList(
            LinearDecoder(channels, before, enlarge=before != 3)
            for channels, before in zip(CHANNELS[:deepest], (3, *CHANNELS), strict=False)
        )
        self.decoders.requires_grad_(False)

    @torch.no_grad()
    def prepare(self, photographs: Iterable[Tensor]) -> None:
        """Fit the decoders to photographs.

        Args:
            photographs: Each ``(1, 3, H, W)`` in [0, 1], with sides of at least 64.
        """
        generator = torch.Generator().manual_seed(0)
        sums = [LeastSquares(decoder) for decoder in self.decoders]  # type: ignore[arg-type]
        for photograph in photographs:
            height, width = (side // REDUCTION * REDUCTION for side in photograph.shape[2:])
            photograph = photograph[:, :, :height, :width]
            maps = [photograph, *self.encoder(photograph, len(self.decoders))]
            for level, before, each in zip(maps[1:], maps, sums, strict=False):
                count = level.shape[2] * level.shape[3]
                each.add(level, before, torch.randperm(count, generator=generator)[:POSITIONS])
        for each in sums:
            each.solve()

    def decode(self, features: Tensor, level: int, size: Sequence[int]) -> Tensor:
        """Images ``(B, 3, *size)``, not clamped, of features of a level, counted from 1."""
        for decoder in reversed(self.decoders[1:level]):
            features = decoder(features).relu()  # the levels between are behind a ReLU
        return self.decoders[0](features)[:, :, : size[0], : size[1]]

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """[images]: every level encodes the picture that the level before has painted."""
        return [images]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """[means, roots of the covariance] of relu1_1, then those of relu2_1 …, float64."""
        levels = self.encoder.levels(images, len(self.decoders))
        return [each for level in levels for each in symmetric_moments(level)]

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Paint from encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The means and the roots of all styles are averaged, which averages the coloured features of
        every level. These are blended with the picture's below an ``alpha`` of 1; at 0 the result
        is the content.
        """
        (picture,) = content_features
        moments = [weighted_sum(each, weights) for each in zip(*styles, strict=True)]
        for level in range(len(self.decoders), 0, -1):
            features = self.encoder(picture.clamp(0, 1), level)[-1]
            coloured = whiten_to(features, *moments[2 * level - 2 : 2 * level])
            blended = torch.lerp(features, coloured, self.strength * alpha)
            change = self.decode(blended, level, size) - self.decode(features, level, size)
            picture = picture + change
        return picture
