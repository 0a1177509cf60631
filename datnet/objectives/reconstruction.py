"""Reconstruction objective, stage one of a two-stage training.

The photograph is both content and style. Stylized images and the method's own objective are not
needed: everything between the frozen encoder and the image learns to invert the encoder. Stage two
trains with the method's objective, with ``init_from``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from datnet.networks.base import EncoderDecoderNetwork, StyleTransferNetwork
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.base import Objective


class ReconstructionObjective(Objective[StyleTransferNetwork]):
    """Distance between a photograph and the network's result with the photograph as its style.

    Style images are not used.

    Args:
        encoder: The frozen loss encoder.
        pixels: Weight of the mean squared error of pixels.
        features: Weight of the mean squared error of features, summed over the levels.
        feature_levels: Levels of the feature loss, 1 … 5; deep ones cost more.

    Raises:
        ValueError: If a weight is negative or a level does not exist.
    """

    def __init__(
        self,
        encoder: VggEncoder,
        pixels: float = 200.0,
        features: float = 1.0,
        feature_levels: Sequence[int] = (1, 2, 3),
    ) -> None:
        super().__init__({"pixels": pixels, "features": features})
        if not feature_levels or not set(feature_levels) <= {1, 2, 3, 4, 5}:
            raise ValueError(f"feature_levels is {list(feature_levels)}; levels are 1 to 5")
        self.encoder = encoder
        self.feature_levels = tuple(feature_levels)

    def terms(
        self, network: StyleTransferNetwork, content: Tensor, style: Tensor
    ) -> dict[str, Tensor]:
        """Reconstruct the content images and compare the results with them.

        Args:
            network: The network to train.
            content: Photographs ``(B, 3, H, W)`` in [0, 1].
            style: Not used.

        Returns:
            ``pixels`` and ``features``, unweighted scalars; terms of weight 0 are left out.
        """
        size = content.shape[2:]
        depth = max(self.feature_levels) if "features" in self.weights else 0
        if isinstance(network, EncoderDecoderNetwork):  # the same features serve both
            encoder = network.encoder
            with torch.no_grad():
                features = encoder(content, max(depth, network.encoder_depth))
            content_inputs = network.transfer_inputs(features[: network.encoder_depth], size)
            style_inputs = content_inputs
        else:
            encoder = self.encoder
            with torch.no_grad():
                features = encoder(content, depth)
            content_inputs = network.encode_content(content)
            style_inputs = network.encode_style(content)
        output = network.generate(content_inputs, style_inputs, size)
        result = {"pixels": terms.squared_error(output, content)}
        if depth:
            result["features"] = terms.content_restoration(
                encoder(output, depth), features, self.feature_levels
            )
        return {name: result[name] for name in self.weights}
