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
"""Added to the denominator of the contrastive loss, see :func:`style_contrast`."""


class MicroASTObjective(Objective[MicroAST]):
    """Content loss at relu4_1, style loss at relu1_1 … relu4_1, style signal contrastive loss.

    The contrastive loss uses the network's own style encoder: the signals of a result should be
    close to those of its style and far from those of the other styles in the batch. Its gradients
    reach the style encoder through the result and through the styles.

    The published code *sums* over the batch the distance to the own style, divided by the *sum* of
    the distances to the other styles, with a weight of 3. Here both sums are means, so the loss
    does not depend on the batch size: it is 1 if results are as far from their own style as from
    the others. At the published batch size of 8, a weight of 3 · 8/7 is equivalent. The published
    code also compares level 1 of a result with the other *results* instead of the other styles;
    here all signals are compared with styles.

    Only styles of one micro-batch in one process are contrasted: two processes with 4 pairs each
    are not equivalent to one with 8.

    Args:
        encoder: The frozen loss encoder of the content and style loss.
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
        """Stylize the content and compare the result with content and style.

        For a single pair, which has no other styles, the contrastive loss is 0 in validation and an
        error in training.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            ``content``, ``global_style`` and ``contrastive``, unweighted scalars; terms of weight 0
            are left out.

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
    """Distance of results to their own style, relative to their distance to the other styles.

    If a result has the same signals as the other styles, for instance with equal images in a batch
    of two, the denominator would be 0, so ``SMALLEST_DISTANCE`` is added. Distances of results to
    other styles are 1e-5 (untrained network) to 1e-2 (trained).

    Args:
        output: From :meth:`~datnet.networks.microast.MicroAST.encode_style`, for ``B`` results.
        style: The same for their ``B`` styles.

    Returns:
        The mean over the batch, a scalar: 0 at best, 1 if results do not distinguish styles, 0 for
        a batch of one.
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
    """Style signals: channel statistics and modulation signals of both levels.

    All eight parts have the same number of channels, so one mean squared error over all is an
    eighth of the published sum of eight; the factor cancels in the ratio.

    Args:
        style_features: From :meth:`~datnet.networks.microast.MicroAST.encode_style`.

    Returns:
        ``(B, 512)``, at least float32.
    """
    level1, level2, *modulation = style_features
    parts = [*channel_mean_std(level1), *channel_mean_std(level2), *map(full_precision, modulation)]
    return torch.cat(parts, dim=1).flatten(1)
