"""The objective of ArtFlow (An et al., CVPR 2021), as its published code has it."""

from __future__ import annotations

import torch
from torch import Tensor

from datnet.networks.artflow import ArtFlow
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.base import Objective


class ArtFlowObjective(Objective[ArtFlow]):
    """Content loss on relu4_1, style loss on relu1_1 … relu4_1.

    Nothing has to keep the flow reversible: it is by construction.

    Args:
        encoder: The frozen encoder whose features are compared.
        content: Weight of the content loss.
        global_style: Weight of the style loss.
    """

    def __init__(
        self, encoder: VggEncoder, content: float = 0.1, global_style: float = 1.0
    ) -> None:
        super().__init__({"content": content, "global_style": global_style})
        self.encoder = encoder

    def terms(self, network: ArtFlow, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Paint the content with the style and compare the painting with both.

        The content is encoded first: with the first batch, it initialises the network.
        """
        with torch.no_grad():
            content_features = self.encoder(content, depth=4)
            style_features = self.encoder(style, depth=4)
        painted = network.generate(
            network.encode_content(content), network.encode_style(style), content.shape[2:]
        )
        painted_features = self.encoder(painted, depth=4)
        result = {
            "content": terms.squared_error(painted_features[3], content_features[3]),
            "global_style": terms.global_style(painted_features, style_features, (1, 2, 3, 4)),
        }
        return {name: result[name] for name in self.weights}
