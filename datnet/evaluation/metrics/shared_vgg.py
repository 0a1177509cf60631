"""The features of LPIPS' VGG-16 from those of the encoder, which has the same weights.

Two things differ. The encoder's channels are divided by their mean activations, which commutes with
ReLU and pooling: LPIPS' features are the encoder's times these means. And the encoder extends maps
by reflection, LPIPS by zeros. That changes features near the border only, in a band that grows by a
pixel with each convolution and is halved by each pooling. So the encoder's features are scaled, and
those of the band computed with LPIPS' layers: a fifth of its convolutions at 512 × 512.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.networks.ops.strips import LARGEST_UNCUT
from datnet.networks.vgg import CHANNELS, IMAGENET_MEAN, IMAGENET_STD, VggEncoder

TOLERANCE = 1e-5
"""Largest relative difference of weights that are taken for the same, with different rounding."""

LARGEST_STRIDE = 16
"""On sides that are multiples of it, both networks' poolings see the same pixels."""


def fits(pixels: Tensor) -> bool:
    """Whether images have a size for which :func:`shared_features` works."""
    height, width = pixels.shape[2:]
    return (
        height % LARGEST_STRIDE == width % LARGEST_STRIDE == 0
        and CHANNELS[0] * height * width <= LARGEST_UNCUT
    )


def shared_features(
    encoder: VggEncoder,
    layers: Sequence[nn.Conv2d],
    scales: Sequence[Tensor],
    images: Tensor,
    normalized: Tensor,
) -> tuple[list[Tensor], list[Tensor]]:
    """Features of both networks in one pass.

    Args:
        encoder: The encoder.
        layers: LPIPS' convolutions conv1_1 … conv5_3.
        scales: From :func:`channel_scales`.
        images: ``(1, 3, H, W)``, RGB in [0, 1], for which :func:`fits` is true.
        normalized: The images as LPIPS' first layer takes them.

    Returns:
        The encoder's relu1_1 … relu5_1, and LPIPS' relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3.
    """
    ours, theirs = images, normalized
    maps, taps = [], []
    band = 0
    remaining = zip(scales, layers, strict=False)
    for stage in encoder.stages:
        for layer in stage.children():
            if isinstance(layer, nn.MaxPool2d):
                taps.append(theirs)
                ours, theirs, band = layer(ours), layer(theirs), -(-band // 2)
            elif isinstance(layer, nn.Conv2d):
                before, band = theirs, band + 1
                ours = F.relu(layer(ours), inplace=True)
                scale, convolution = next(remaining)
                theirs = ours * scale
                _fill_band(theirs, before, convolution, band)
        maps.append(ours)
    for convolution in layers[len(scales) :]:
        theirs = F.relu(convolution(theirs), inplace=True)
    return maps, [*taps, theirs]


def _fill_band(maps: Tensor, before: Tensor, layer: nn.Conv2d, band: int) -> None:
    """Compute the features within ``band`` pixels of the border with zeros around the image.

    Args:
        maps: Features of the layer and its ReLU, ``(1, C, H, W)``; changed in place.
        before: The layer's input.
        layer: A 3 × 3 convolution that pads with a pixel of zeros.
        band: Width of the band.
    """
    height, width = maps.shape[2:]
    if 2 * band >= min(height, width):
        maps.copy_(F.relu(layer(before)))
        return
    inner = slice(band, height - band)
    around = slice(band - 1, height - band + 1)
    maps[:, :, :band] = F.relu(layer(before[:, :, : band + 1])[:, :, :band])
    maps[:, :, -band:] = F.relu(layer(before[:, :, -band - 1 :])[:, :, 1:])
    left, right = before[:, :, around, : band + 1], before[:, :, around, -band - 1 :]
    maps[:, :, inner, :band] = F.relu(layer(left)[:, :, 1:-1, :band])
    maps[:, :, inner, -band:] = F.relu(layer(right)[:, :, 1:-1, 1:])


@lru_cache(maxsize=1)
def channel_scales(encoder: nn.Module, layers: tuple[nn.Conv2d, ...]) -> list[Tensor] | None:
    """Return how many times larger LPIPS' features are than the encoder's.

    Args:
        encoder: The encoder.
        layers: LPIPS' convolutions.

    Returns:
        ``(C, 1, 1)`` for each of the encoder's convolutions; None if its weights are others.
    """
    if not isinstance(encoder, VggEncoder) or encoder.arch != "vgg16":
        return None
    mean, std = (
        torch.tensor(values, device=layers[0].weight.device)[:, None, None]
        for values in (IMAGENET_MEAN, IMAGENET_STD)
    )
    # The encoder's first convolution includes the normalization of images.
    scale = 1 / std
    shift = (layers[0].weight * mean * scale).sum((1, 2, 3))
    scales = []
    for ours, theirs in zip(encoder.convolutions(), layers, strict=False):
        assert theirs.bias is not None
        weight, bias = theirs.weight * scale, theirs.bias - shift
        norms = [each.square().sum((1, 2, 3)).sqrt() for each in (weight, ours.weight)]
        scale = (norms[0] / norms[1])[:, None, None]
        if not _close(ours.weight * scale[:, None], weight) or not _close(
            ours.bias * scale.flatten(), bias
        ):
            return None
        scales.append(scale)
        shift = torch.zeros_like(shift)[:1]
    return scales


def _close(weights: Tensor, expected: Tensor) -> bool:
    """Whether weights are the same but for rounding; never if they contain a NaN."""
    return bool((weights - expected).abs().max() <= TOLERANCE * expected.abs().max())
