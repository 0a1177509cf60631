"""The objective of AdaIN (Huang and Belongie, ICCV 2017), eqs. (11)-(13)."""

from __future__ import annotations

import torch
from torch import Tensor

from datnet.networks.adain import AdaIN
from datnet.objectives import terms
from datnet.objectives.base import Objective


class AdaINObjective(Objective[AdaIN]):
    """Content loss at relu4_1 (target: the AdaIN output), style loss at relu1_1 … relu4_1.

    Args:
        content: Weight of the content loss.
        global_style: Weight of the style loss.
        style_aware: Whether the style loss is relative to its upper bound for the pair, see
            :func:`~datnet.objectives.terms.style_aware`.
    """

    def __init__(
        self, content: float = 1.0, global_style: float = 10.0, style_aware: bool = False
    ) -> None:
        super().__init__({"content": content, "global_style": global_style})
        self.style_loss = terms.style_aware if style_aware else terms.global_style

    def terms(self, network: AdaIN, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Decode the AdaIN output and compare the result with it and with the style.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            ``content`` and ``global_style``, unweighted scalars; terms of weight 0 are left out.
        """
        with torch.no_grad():
            content_features = network.encode(content)
            style_features = network.encode(style)
            (target,) = network.transfer(content_features, style_features)
        height, width = content.shape[2:]
        output_features = network.encode(network.decode([target])[:, :, :height, :width])
        result = {
            "content": terms.squared_error(output_features[3], target),
            "global_style": self.style_loss(output_features, style_features, (1, 2, 3, 4)),
        }
        return {name: result[name] for name in self.weights}
