"""The perceptual losses of Johnson et al. (ECCV 2016) and Dumoulin et al. (ICLR 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from datnet.networks.gatys import gram_matrix
from datnet.networks.ops.convolution import Convolution
from datnet.networks.statistics import full_precision
from datnet.networks.transformer_net import TransformerNet
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.base import Objective

STYLE_LAYERS = ((1, 2), (2, 2), (3, 3), (4, 3))
"""relu1_2, relu2_2, relu3_3 and relu4_3, as block and convolution."""

CONTENT_LAYER = 2
"""Index of relu3_3 among them."""


class PerceptualObjective(Objective[TransformerNet]):
    """Content loss at relu3_3, Gram matrices of relu1_2 … relu4_3, total variation.

    The papers' weights are for Caffe's VGG-16 on pixels up to 255. Features scaled by s scale the
    content loss by s² and the style loss by s⁴. The default weights take s² = 44 000 for that
    encoder's relu3_3 relative to the normalized VGG-16 here, and give the other layers the scale
    that they have before normalization, see docs/faithfulness.md.

    Args:
        encoder: The frozen loss encoder.
        content: Weight of the content loss, a mean squared error.
        style: Weight of the style loss, the sum over layers of the mean squared error of the Gram
            matrices, each divided by its number of positions.
        total_variation: Weight of the squared differences of neighboring pixels, summed over both
            directions and averaged over positions and channels.
        per_channel: Whether the Gram matrices are divided by their numbers of channels, too
            (Johnson et al.).
        style_layers: Weights of the four layers within the style loss.
        style_aware: Whether the style loss is relative to its upper bound for the pair, so that
            each painting counts alike; see :func:`~datnet.objectives.terms.style_aware`. Here one
            bound holds for all layers, so their weights keep their meaning.

    Raises:
        ValueError: If ``style_layers`` has another length than 4.
    """

    def __init__(
        self,
        encoder: VggEncoder,
        content: float = 1.0,
        style: float = 220000.0,
        total_variation: float = 0.58,
        per_channel: bool = True,
        style_layers: Sequence[float] = (0.16, 0.73, 1.0, 0.015),
        style_aware: bool = False,
    ) -> None:
        if len(style_layers) != len(STYLE_LAYERS):
            raise ValueError(
                f"style_layers has {len(style_layers)} weights; it needs {len(STYLE_LAYERS)}"
            )
        super().__init__({"content": content, "style": style, "total_variation": total_variation})
        self.encoder = encoder
        self.per_channel = per_channel
        self.style_aware = style_aware
        self.style_layers = tuple(style_layers)

    def terms(self, network: TransformerNet, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Stylize the content and compare the result with content and style.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1], whole paintings.

        Returns:
            ``content``, ``style`` and ``total_variation``, unweighted scalars; terms of weight 0
            are left out.
        """
        with torch.no_grad():
            *_, content_features = layers_of(self.encoder, content, CONTENT_LAYER + 1)
            targets = self.target_grams(network, style)
        output = network.generate(
            network.encode_content(content), network.encode_style(style), content.shape[2:]
        )
        features = layers_of(self.encoder, output)
        result = {
            "content": terms.squared_error(features[CONTENT_LAYER], content_features),
            "style": self.style_error([self.gram(maps) for maps in features], targets),
            "total_variation": squared_differences(output),
        }
        return {name: result[name] for name in self.weights}

    def target_grams(self, network: TransformerNet, style: Tensor) -> list[Tensor]:
        """Gram matrices of the styles of a batch; each painting is encoded once."""
        paintings = network.paintings.recognize(style).tolist()
        first = {painting: paintings.index(painting) for painting in paintings}
        different = list(first)
        places = [different.index(painting) for painting in paintings]
        maps = layers_of(self.encoder, style[list(first.values())])
        return [self.gram(each)[places] for each in maps]

    def style_error(self, grams: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """Squared error of Gram matrices ``(B, C, C)``, averaged over the batch."""
        error = self.over_layers(
            [ours - target for ours, target in zip(grams, targets, strict=True)]
        )
        if self.style_aware:
            bound = self.over_layers(targets) + self.over_layers([each.detach() for each in grams])
            error = error / (bound + terms.SMALLEST_BOUND)
        return error.mean()

    def over_layers(self, matrices: Sequence[Tensor]) -> Tensor:
        """Weighted sum over layers of the mean squares of ``(B, C, C)``, ``(B,)``."""
        squares = [
            weight * each.square().mean(dim=(1, 2))
            for weight, each in zip(self.style_layers, matrices, strict=True)
        ]
        return torch.stack(squares).sum(dim=0)

    def gram(self, maps: Tensor) -> Tensor:
        """Gram matrices ``(B, C, C)`` of features ``(B, C, H, W)``, at least float32."""
        with torch.autocast(maps.device.type, enabled=False):
            gram = gram_matrix(full_precision(maps))
            return gram / maps.shape[1] if self.per_channel else gram


def layers_of(encoder: VggEncoder, images: Tensor, count: int = len(STYLE_LAYERS)) -> list[Tensor]:
    """The first of relu1_2, relu2_2, relu3_3, relu4_3 of images ``(B, 3, H, W)`` in [0, 1]."""
    features, maps = [], images
    block, convolution = 1, 0
    for layer in encoder.layers():
        maps = layer(maps)
        if isinstance(layer, nn.MaxPool2d):
            block, convolution = block + 1, 0
        elif isinstance(layer, Convolution):
            convolution += 1
        elif (block, convolution) in STYLE_LAYERS:
            features.append(maps)
            if len(features) == count:
                break
    return features


def squared_differences(images: Tensor) -> Tensor:
    """Squared differences of neighbors, right and below, per value of ``(B, C, H, W)``."""
    images = full_precision(images)
    across = images.diff(dim=3).square().sum()
    down = images.diff(dim=2).square().sum()
    return (across + down) / images.numel()
