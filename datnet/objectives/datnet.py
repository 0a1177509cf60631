"""The objective of DatNet, eq. (8), and of its ablation study."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from annotated_types import Interval
from torch import Tensor

from datnet.networks.datnet import DatNet
from datnet.objectives import terms
from datnet.objectives.base import Objective

Level = Annotated[int, Interval(ge=1, le=5)]
"""1 … 5 for relu1_1 … relu5_1."""


class DatNetObjective(Objective[DatNet]):
    """Local feature loss, global style loss and content restoration loss.

    >>> from datnet.networks.vgg import VggEncoder
    >>> objective = DatNetObjective(content_restoration=0)  # the ablation without it
    >>> content, style = torch.rand(2, 1, 3, 32, 32)
    >>> terms = objective.terms(DatNet(VggEncoder("vgg16")), content, style)
    >>> list(terms)
    ['local_feature', 'global_style']
    >>> objective.total(terms).backward()

    Args:
        local_feature: Weight λc.
        global_style: Weight λs.
        content_restoration: Weight λre; 0 skips the second generator pass of each step.
        local_feature_levels: Levels of the local feature loss.
        global_style_levels: Levels of the global style loss.
    """

    def __init__(
        self,
        local_feature: float = 3.0,
        global_style: float = 10.0,
        content_restoration: float = 5.0,
        local_feature_levels: Sequence[Level] = (3, 4, 5),
        global_style_levels: Sequence[Level] = (2, 3, 4, 5),
    ) -> None:
        super().__init__(
            {
                "local_feature": local_feature,
                "global_style": global_style,
                "content_restoration": content_restoration,
            }
        )
        self.local_feature_levels = tuple(local_feature_levels)
        self.global_style_levels = tuple(global_style_levels)

    def terms(self, network: DatNet, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Stylize the content and, for the restoration loss, reconstruct it from itself.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            ``local_feature``, ``global_style`` and ``content_restoration``, unweighted scalars;
            terms of weight 0 are left out.
        """
        with torch.no_grad():
            content_features = network.encode(content)
            style_features = network.encode(style)
        size = content.shape[2:]
        content_inputs = network.transfer_inputs(content_features, size)
        style_inputs = network.transfer_inputs(style_features, style.shape[2:])
        output_features = network.encode(network.generate(content_inputs, style_inputs, size))
        result = {
            "local_feature": terms.local_feature(
                output_features,
                content_features,
                style_features,
                self.local_feature_levels,
                network.resize,
            ),
            "global_style": terms.global_style(
                output_features, style_features, self.global_style_levels
            ),
        }
        if "content_restoration" in self.weights:
            restored = network.generate(content_inputs, content_inputs, size)
            result["content_restoration"] = terms.content_restoration(
                network.encode(restored), content_features
            )
        return {name: result[name] for name in self.weights}
