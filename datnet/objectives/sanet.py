"""The objective of SANet (Park and Lee, CVPR 2019), eqs. (7)-(11)."""

from __future__ import annotations

import torch
from torch import Tensor

from datnet.networks.sanet import SANet
from datnet.objectives import terms
from datnet.objectives.base import Objective

ALL_LEVELS = (1, 2, 3, 4, 5)


class SANetObjective(Objective[SANet]):
    """Content, style and two identity losses.

    The paper's text swaps the identity weights; the author's page and every known code have 50 for
    pixels and 1 for features, as the defaults here.

    Args:
        content: Weight of the content loss on normalised relu4_1 and relu5_1.
        global_style: Weight of the style loss on relu1_1 … relu5_1.
        identity_pixels: Weight of the pixel distance between an image and itself painted with
            itself as style, for content and style images.
        identity_features: Weight of the same in features of all levels.
    """

    def __init__(
        self,
        content: float = 1.0,
        global_style: float = 3.0,
        identity_pixels: float = 50.0,
        identity_features: float = 1.0,
    ) -> None:
        super().__init__(
            {
                "content": content,
                "global_style": global_style,
                "identity_pixels": identity_pixels,
                "identity_features": identity_features,
            }
        )

    def terms(self, network: SANet, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Paint the content with the style, the content with itself and the style with itself."""
        with torch.no_grad():
            content_features = network.encode(content)
            style_features = network.encode(style)
        output = network.generate(content_features, style_features, content.shape[2:])
        output_features = network.encode(output)
        result = {
            "content": terms.normalized_content(output_features, content_features),
            "global_style": terms.global_style(output_features, style_features, ALL_LEVELS),
        }
        if self.weights.keys() & {"identity_pixels", "identity_features"}:
            same_content = network.generate(content_features, content_features, content.shape[2:])
            same_style = network.generate(style_features, style_features, style.shape[2:])
            result["identity_pixels"] = terms.squared_error(
                same_content, content
            ) + terms.squared_error(same_style, style)
            result["identity_features"] = terms.content_restoration(
                network.encode(same_content), content_features
            ) + terms.content_restoration(network.encode(same_style), style_features)
        return {name: result[name] for name in self.weights}
