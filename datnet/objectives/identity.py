"""Content, style and identity losses shared by SANet, MANet, MCCNet and StyTr².

The identity losses compare an image with the network's result for this image as content and style.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from datnet.networks.base import EncoderDecoderNetwork
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms

ALL_LEVELS = (1, 2, 3, 4, 5)

StyleLoss = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[int]], Tensor]
"""From features of result and style, and the levels to compare, to a scalar."""


@dataclass(frozen=True)
class ComparedResult:
    """A stylized batch, the features that its losses compare, and the losses."""

    output: Tensor
    """Stylized images ``(B, 3, H, W)``, not clamped."""
    content_features: list[Tensor]
    """Features relu1_1 … relu5_1 of the content images, without gradients."""
    style_features: list[Tensor]
    """Features relu1_1 … relu5_1 of the style images, without gradients."""
    terms: dict[str, Tensor]
    """Unweighted scalars: content, global_style and, if wanted, the two identity losses."""


def stylize_and_compare(
    network: EncoderDecoderNetwork,
    content: Tensor,
    style: Tensor,
    wanted: Container[str],
    style_loss: StyleLoss = terms.global_style,
) -> ComparedResult:
    """Stylize a batch, reconstruct its images, and compute SANet's losses.

    The losses are those of SANet (Park and Lee, CVPR 2019), eqs. (7)-(11):

    - ``content``: normalized relu4_1 and relu5_1 of result and content;
    - ``global_style``: channel statistics of relu1_1 … relu5_1 of result and style;
    - ``identity_pixels``: pixels of an image and of its reconstruction with itself as style, for
      content and style images;
    - ``identity_features``: the same in features of all levels.

    Args:
        network: The network to train.
        content: Content images ``(B, 3, H, W)`` in [0, 1].
        style: Style images ``(B, 3, Hs, Ws)`` in [0, 1].
        wanted: Names of the losses that count. Without an identity loss among them, the images are
            not reconstructed.
        style_loss: The loss ``global_style``.

    Returns:
        The stylized images, the features of content and style, and the losses.
    """
    with torch.no_grad():
        content_features = network.encoder(content)
        style_features = network.encoder(style)
    output = network.generate(content_features, style_features, content.shape[2:])
    output_features = network.encoder(output)
    result = {
        "content": terms.normalized_content(output_features, content_features),
        "global_style": style_loss(output_features, style_features, ALL_LEVELS),
    }
    if "identity_pixels" in wanted or "identity_features" in wanted:
        same_content = network.generate(content_features, content_features, content.shape[2:])
        same_style = network.generate(style_features, style_features, style.shape[2:])
        result |= identity_losses(
            network.encoder,
            images=(content, style),
            features=(content_features, style_features),
            stylized=(same_content, same_style),
        )
    return ComparedResult(output, content_features, style_features, result)


def identity_losses(
    encoder: VggEncoder,
    images: Sequence[Tensor],
    features: Sequence[Sequence[Tensor]],
    stylized: Sequence[Tensor],
) -> dict[str, Tensor]:
    """Identity losses: difference between images and their reconstructions.

    Args:
        encoder: The frozen loss encoder.
        images: Content images and style images, each ``(B, 3, H, W)``; their losses are added.
        features: Features relu1_1 … relu5_1 of the same images.
        stylized: The network's results for the same images as content and style, not clamped.

    Returns:
        ``identity_pixels`` and ``identity_features``, unweighted scalars.
    """
    pixels, deep = [], []
    for original, maps, same in zip(images, features, stylized, strict=True):
        pixels.append(terms.squared_error(same, original))
        deep.append(terms.content_restoration(encoder(same), maps))
    return {
        "identity_pixels": torch.stack(pixels).sum(),
        "identity_features": torch.stack(deep).sum(),
    }
