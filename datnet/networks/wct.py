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
"""Maximum number of positions per level and photograph that the decoders are fitted to."""

REDUCTION = 16
"""The stride of relu5_1."""

DEEPEST = 4
"""The published code uses 5, with the advice to use 4 to keep more of the content."""


class WCT(TrainingFreeNetwork):
    """Multi-level whitening and coloring transform, from relu4_1 to relu1_1.

    At each level the current image is encoded, its features are whitened, colored with the style's
    mean and covariance, and decoded to the image that the next level starts from.

    The published decoders are trained networks. Here a decoder is a chain of the
    :class:`~datnet.networks.linear_decoder.LinearDecoder` of each level down to the image, fitted
    by least squares, so nothing is trained. Such a chain D blurs what it decodes from deep levels,
    so the image x gets only the change, ``x + D(colored) - D(features)``. What D cannot reconstruct
    stays as it is in x, and without coloring the result is the content itself. Results keep more of
    the content's edges and have fewer of the style's large shapes than published ones. relu5_1,
    where the published method starts, is inverted so poorly that it causes blotches; it is only
    used with ``deepest`` of 5.

    With random decoders the result is noise: call :meth:`prepare` to fit them.

    Args:
        encoder: The frozen encoder.
        strength: Share of the colored features at each level for ``alpha`` of 1, the paper's α; the
            published code uses 0.6.
        deepest: The level to start from, 1 to 5.

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
        """Decode the features of a level to images.

        Args:
            features: ``(B, C, h, w)``.
            level: Their level, 1 for relu1_1.
            size: Height and width of the images.

        Returns:
            Images ``(B, 3, *size)``, not clamped.
        """
        for decoder in reversed(self.decoders[1:level]):
            features = decoder(features).relu()  # encoder levels are outputs of a ReLU
        return self.decoders[0](features)[:, :, : size[0], : size[1]]

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """[images]: each level encodes the image that the level before it has generated."""
        return [images]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """[means, square roots of the covariance] of relu1_1, then of relu2_1 …, float64."""
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
        """Stylize encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The means and square roots of all styles are averaged, which averages the colored features
        of each level. With ``alpha`` below 1 these are blended with the image's own features; with
        0 the result is the content.
        """
        (picture,) = content_features
        moments = [weighted_sum(each, weights) for each in zip(*styles, strict=True)]
        for level in range(len(self.decoders), 0, -1):
            features = self.encoder(picture.clamp(0, 1), level)[-1]
            colored = whiten_to(features, *moments[2 * level - 2 : 2 * level])
            blended = torch.lerp(features, colored, self.strength * alpha)
            change = self.decode(blended, level, size) - self.decode(features, level, size)
            picture = picture + change
        return picture
