"""The objective of ArtFlow (An et al., CVPR 2021), as in its published code."""

from __future__ import annotations

import torch
from torch import Tensor

from datnet.networks.artflow import ArtFlow
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.base import Objective


class ArtFlowObjective(Objective[ArtFlow]):
    """Content loss at relu4_1, style loss at relu1_1 … relu4_1.

    The flow is reversible by construction, so no term enforces it.

    Args:
        encoder: The frozen loss encoder.
        content: Weight of the content loss.
        global_style: Weight of the style loss.
    """

    def __init__(
        self, encoder: VggEncoder, content: float = 0.1, global_style: float = 1.0
    ) -> None:
        super().__init__({"content": content, "global_style": global_style})
        self.encoder = encoder

    def terms(self, network: ArtFlow, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Stylize the content and compare the result with content and style.

        The content is encoded first: the first batch initializes the network's ActNorm layers.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            ``content`` and ``global_style``, unweighted scalars; terms of weight 0 are left out.
        """
        with torch.no_grad():
            content_features = self.encoder(content, depth=4)
            style_features = self.encoder(style, depth=4)
        stylized = network.generate(
            network.encode_content(content), network.encode_style(style), content.shape[2:]
        )
        stylized_features = self.encoder(stylized, depth=4)
        result = {
            "content": terms.squared_error(stylized_features[3], content_features[3]),
            "global_style": terms.global_style(stylized_features, style_features, (1, 2, 3, 4)),
        }
        return {name: result[name] for name in self.weights}
