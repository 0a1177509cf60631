"""Distance between the Gram matrices of a result and its style."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from datnet.evaluation.metrics.features import ENCODER, maps
from datnet.evaluation.metrics.metric import Metric, Picture


def gram_matrix(features: Tensor) -> Tensor:
    """Return the mean over positions of the products of all pairs of channels.

    Args:
        features: ``(1, C, H, W)``.

    Returns:
        ``(C, C)``.
    """
    flat = features[0].flatten(1)
    return flat @ flat.T / flat.shape[1]


def gram_matrices(picture: Picture) -> list[Tensor]:
    """Return the Gram matrices of the encoder's features relu1_1 … relu5_1."""
    return [gram_matrix(level) for level in picture.once(maps)]


class GramDistance(Metric):
    """Style loss of Gatys, Ecker, Bethge, *Image Style Transfer Using CNNs*, CVPR 2016.

    A quarter of the mean squared difference of the Gram matrices, averaged over relu1_1 … relu5_1.
    It is what `gatys` optimizes; the networks are trained on means and standard deviations, which
    do not see the products of different channels.
    """

    key = "gram_distance"
    label = "Gram distance"
    better = "low"
    decimals = 1
    source = "Gatys et al., CVPR 2016"
    trained_on = "gatys optimizes it; the others optimize part of it (means and deviations)"
    networks = ENCODER
    words = (
        "Gram distance (quarter of the MSE of Gram matrices against the style image, mean over "
        "relu1_1 to relu5_1)"
    )

    def prepare_style(self, style: Picture) -> list[Tensor]:
        return style.once(gram_matrices)

    def measure(self, result: Picture, content: None, style: list[Tensor]) -> float:
        distances = [
            functional.mse_loss(of_result, of_style).item() / 4
            for of_result, of_style in zip(result.once(gram_matrices), style, strict=True)
        ]
        return sum(distances) / len(distances)
