"""The objective of SANet (Park and Lee, CVPR 2019), eqs. (7)-(11)."""

from __future__ import annotations

from torch import Tensor

from datnet.networks.sanet import SANet
from datnet.objectives.base import Objective
from datnet.objectives.identity import paint_and_compare


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
        result = paint_and_compare(network, content, style, self.weights).terms
        return {name: result[name] for name in self.weights}
