"""Distance between the self-similarities of a result and its content."""

from __future__ import annotations

from torch import Tensor

from datnet.evaluation.metrics.metric import Metric, Picture
from datnet.zoo import vgg_encoder

ROWS = 1024
"""Positions whose similarities are in memory at a time: 64 MB each for result and content."""


ENCODER = {"plain_encoder": lambda: vgg_encoder("vgg16", normalized=False)}


def structural_distance(result: Tensor, content: Tensor) -> float:
    """CFSD: Kullback–Leibler divergence between self-similarities of features.

    The similarities of a position are the softmax over all positions of the dot products of
    features that are divided by their number of channels. The divergence of the result's from the
    content's is summed over positions, as StyleID's evaluation does.

    Args:
        result: ``(1, C, H, W)``.
        content: The same shape.

    Returns:
        At least 0, up to rounding.
    """
    vectors = result[0].flatten(1) / result.shape[1]
    references = content[0].flatten(1) / content.shape[1]
    divergence = 0.0
    for start in range(0, vectors.shape[1], ROWS):
        rows = slice(start, start + ROWS)
        expected = references[:, rows].T @ references
        difference = vectors[:, rows].T @ vectors - expected
        expected = expected.softmax(1)
        # KL = log E[exp(d - E[d])] with E over the expected similarities; without the subtraction
        # of two logarithms, whose rounding errors exceed small divergences.
        difference -= (expected * difference).sum(1, keepdim=True)
        divergence += (expected * difference.expm1()).sum(1).log1p().sum().item()
    return divergence


def features(picture: Picture) -> Tensor:
    """Return relu3_1 of a VGG-16 without Gatys' normalization."""
    return picture.networks["plain_encoder"](picture.pixels, depth=3)[2]


class ContentStructureDistance(Metric):
    """Content feature structural distance of result and content (Chung et al., CVPR 2024).

    The published values are of VGG-19; here it is VGG-16. Only relu3_1's self-similarity counts,
    not the features themselves, so colors and contrast may change. It costs two products of
    16 384 × 16 384 similarities for a result of 512 × 512.
    """

    key = "cfsd_vgg16"
    label = "CFSD (VGG-16)"
    better = "low"
    decimals = 4
    source = "Chung et al. (StyleID), CVPR 2024, in VGG-16 instead of VGG-19"
    networks = ENCODER
    words = (
        "CFSD (VGG-16) (Kullback–Leibler divergence of self-similarities against the content "
        "image, at relu3_1 without normalization, summed over positions; not comparable with "
        "values in VGG-19)"
    )

    def prepare_content(self, content: Picture) -> Tensor:
        return content.once(features)

    def measure(self, result: Picture, content: Tensor, style: None) -> float:
        return structural_distance(result.once(features), content)
