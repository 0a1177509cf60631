"""The objective of MicroAST (Wang et al., AAAI 2023)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datnet.errors import DatNetError
from datnet.networks.microast import MicroAST
from datnet.networks.statistics import channel_mean_std, full_precision
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.base import Objective

LEVELS = (1, 2, 3, 4)
"""Levels of the loss encoder."""

SMALLEST_DISTANCE = 1e-8
"""Added to the divisor of the contrastive loss, see :func:`style_contrast`."""


class MicroASTObjective(Objective[MicroAST]):
    """Content loss on relu4_1, style loss on relu1_1 … relu4_1, contrastive loss on style signals.

    The contrastive loss sees paintings with the network's own style encoder: the signals of a
    painting shall be near those of its style and far from those of the other styles in the batch.
    Its gradients reach the style encoder through the painting and through the styles.

    The published code *sums* over the batch the quotient of the distance to the own style and the
    *sum* of the distances to the others, with a weight of 3. Both sums become means here, so that
    the loss does not depend on the batch size: it is 1 where paintings are as far from their own
    style as from the others. At the published batch of 8, a weight of 3 · 8/7 is exactly theirs.
    The published code also compares level 1 of a painting with the other *paintings* where it means
    the other styles; here all signals are compared with styles.

    Only styles of one micro-batch in one process are contrasted: two processes with 4 pairs each do
    not train what one does with 8.

    Args:
        encoder: The frozen encoder that content and style loss see with.
        content: Weight of the content loss.
        global_style: Weight of the style loss.
        contrastive: Weight of the contrastive loss.
    """

    compares_pairs = frozenset({"contrastive"})

    def __init__(
        self,
        encoder: VggEncoder,
        content: float = 1.0,
        global_style: float = 3.0,
        contrastive: float = 3 * 8 / 7,
    ) -> None:
        super().__init__(
            {"content": content, "global_style": global_style, "contrastive": contrastive}
        )
        self.encoder = encoder

    def terms(self, network: MicroAST, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Paint the content with the style and compare the painting with both.

        The contrastive loss of a single pair, which has nothing to contrast with, is 0 in
        validation.

        Raises:
            DatNetError: If a training batch has a single pair.
        """
        if "contrastive" in self.weights and network.training and len(content) == 1:
            raise DatNetError(
                "data.batch_size is 1, but MicroAST's contrastive loss compares the styles of a "
                "batch: set data.batch_size to 2 or more, or model.objective.contrastive to 0"
            )
        with torch.no_grad():
            content_features = self.encoder(content, depth=len(LEVELS))
            style_features = self.encoder(style, depth=len(LEVELS))
        own_style = network.encode_style(style)
        output = network.generate(network.encode_content(content), own_style, content.shape[2:])
        output_features = self.encoder(output, depth=len(LEVELS))
        result = {
            "content": terms.squared_error(output_features[3], content_features[3]),
            "global_style": terms.global_style(output_features, style_features, LEVELS),
        }
        if "contrastive" in self.weights:
            result["contrastive"] = style_contrast(network.encode_style(output), own_style)
        return {name: result[name] for name in self.weights}


def style_contrast(output: Sequence[Tensor], style: Sequence[Tensor]) -> Tensor:
    """Distance of paintings to their own style, relative to their distance to the other styles.

    Where a painting has the very signals of the other styles, as with equal pictures in a batch of
    two, the divisor would be 0. ``SMALLEST_DISTANCE`` is added to it; paintings are 1e-5 (fresh
    network) to 1e-2 (trained) from other styles.

    Args:
        output: From :meth:`~datnet.networks.microast.MicroAST.encode_style`, of ``B`` paintings.
        style: The same of their ``B`` styles.

    Returns:
        The mean over the batch, a scalar: 0 at best, 1 where paintings do not tell styles apart;
        0 for a batch of one.
    """
    output_signals, style_signals = signals(output), signals(style)
    count = len(output_signals)
    if count == 1:
        return output_signals.new_zeros(())
    distances = (output_signals[:, None] - style_signals[None]).square().mean(dim=2)
    own = torch.eye(count, dtype=torch.bool, device=distances.device)
    to_others = distances.masked_fill(own, 0).sum(dim=1) / (count - 1)
    return (distances.diagonal() / (to_others + SMALLEST_DISTANCE)).mean()


def signals(style_features: Sequence[Tensor]) -> Tensor:
    """What is compared of a style: channel statistics and modulation signals of both levels.

    The eight parts have as many channels each, so that one mean squared error over all is an eighth
    of the published sum of eight; the factor falls out of the quotient.

    Args:
        style_features: From :meth:`~datnet.networks.microast.MicroAST.encode_style`.

    Returns:
        ``(B, 512)``, at least float32.
    """
    level1, level2, *modulation = style_features
    parts = [*channel_mean_std(level1), *channel_mean_std(level2), *map(full_precision, modulation)]
    return torch.cat(parts, dim=1).flatten(1)
