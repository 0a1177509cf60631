"""The objective of SANet (Park and Lee, CVPR 2019), eqs. (7)-(11)."""

from __future__ import annotations

from torch import Tensor

from datnet.networks.sanet import SANet
from datnet.objectives import terms
from datnet.objectives.base import Objective
from datnet.objectives.identity import stylize_and_compare


class SANetObjective(Objective[SANet]):
    """Content, style and two identity losses.

    The paper's text swaps the weights of the identity losses; the author's project page and all
    known implementations use 50 for pixels and 1 for features, the defaults here.

    Args:
        content: Weight of the content loss at normalized relu4_1 and relu5_1.
        global_style: Weight of the style loss at relu1_1 … relu5_1.
        identity_pixels: Weight of the pixel distance between an image and its reconstruction with
            itself as style, for content and style images.
        identity_features: Weight of the same distance in features of all levels.
        style_aware: Whether the style loss is relative to its upper bound for the pair, see
            :func:`~datnet.objectives.terms.style_aware`.
    """

    def __init__(
        self,
        content: float = 1.0,
        global_style: float = 3.0,
        identity_pixels: float = 50.0,
        identity_features: float = 1.0,
        style_aware: bool = False,
    ) -> None:
        super().__init__(
            {
                "content": content,
                "global_style": global_style,
                "identity_pixels": identity_pixels,
                "identity_features": identity_features,
            }
        )
        self.style_loss = terms.style_aware if style_aware else terms.global_style

    def terms(self, network: SANet, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Stylize the content, and reconstruct content and style from themselves.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            ``content``, ``global_style``, ``identity_pixels`` and ``identity_features``, unweighted
            scalars; terms of weight 0 are left out.
        """
        result = stylize_and_compare(network, content, style, self.weights, self.style_loss).terms
        return {name: result[name] for name in self.weights}
