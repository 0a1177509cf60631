"""The objective of StyTr² (Deng et al., CVPR 2022), eqs. (8)-(12), as in its published code."""

from __future__ import annotations

import torch
from torch import Tensor

from datnet.networks.stytr2 import StyTr2
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.base import Objective
from datnet.objectives.identity import ALL_LEVELS, identity_losses


class StyTr2Objective(Objective[StyTr2]):
    """Content, style and two identity losses, those of SANet.

    The weights are those of the published code. The paper states 10, 7, 50 and 1, but its results
    are reached with the code's.

    Args:
        encoder: The frozen loss encoder.
        content: Weight of the content loss at normalized relu4_1 and relu5_1.
        global_style: Weight of the style loss at relu1_1 … relu5_1.
        identity_pixels: Weight of the pixel distance between an image and its reconstruction with
            itself as style, for content and style images.
        identity_features: Weight of the same distance in features of all levels.
    """

    def __init__(
        self,
        encoder: VggEncoder,
        content: float = 7.0,
        global_style: float = 10.0,
        identity_pixels: float = 70.0,
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
        self.encoder = encoder

    def terms(self, network: StyTr2, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Stylize the content, and reconstruct content and style from themselves.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            ``content``, ``global_style``, ``identity_pixels`` and ``identity_features``, unweighted
            scalars; terms of weight 0 are left out.
        """
        with torch.no_grad():
            content_features = self.encoder(content)
            style_features = self.encoder(style)
        encoded_content = network.encode_content(content)
        encoded_style = network.encode_style(style)
        output = network.generate(encoded_content, encoded_style, content.shape[2:])
        output_features = self.encoder(output)
        result = {
            "content": terms.normalized_content(output_features, content_features),
            "global_style": terms.global_style(output_features, style_features, ALL_LEVELS),
        }
        if self.weights.keys() & {"identity_pixels", "identity_features"}:
            same_content = network.generate(
                encoded_content, network.encode_style(content), content.shape[2:]
            )
            same_style = network.generate(
                network.encode_content(style), encoded_style, style.shape[2:]
            )
            result |= identity_losses(
                self.encoder,
                images=(content, style),
                features=(content_features, style_features),
                stylized=(same_content, same_style),
            )
        return {name: result[name] for name in self.weights}
