"""Distance between the feature statistics of a result and its style."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from datnet.evaluation.metrics.features import ENCODER, statistics
from datnet.evaluation.metrics.metric import Metric, Picture


class StyleDistance(Metric):
    """Mean squared difference of channel means plus that of channel standard deviations.

    Computed from the encoder's features of result and style, averaged over relu1_1 … relu5_1.
    """

    key = "style_distance"
    label = "style distance"
    better = "low"
    decimals = 2
    source = "Huang and Belongie, ICCV 2017"
    trained_on = "all but WCT and Gatys (their style loss, mostly on fewer levels)"
    networks = ENCODER
    words = (
        "style distance (MSE of channel means plus MSE of channel standard deviations against "
        "the style image, mean over relu1_1 to relu5_1)"
    )

    def prepare_style(self, style: Picture) -> list[tuple[Tensor, Tensor]]:
        return style.once(statistics)

    def measure(self, result: Picture, content: None, style: list[tuple[Tensor, Tensor]]) -> float:
        distances = []
        for (mean, std), (style_mean, style_std) in zip(
            result.once(statistics), style, strict=True
        ):
            distance = functional.mse_loss(mean, style_mean) + functional.mse_loss(std, style_std)
            distances.append(distance.item())
        return sum(distances) / len(distances)
