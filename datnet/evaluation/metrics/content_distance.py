"""Distance between the deep features of a result and its content."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from datnet.evaluation.metrics.features import ENCODER, maps
from datnet.evaluation.metrics.metric import Metric, Picture


class ContentDistance(Metric):
    """Mean squared difference of the encoder's features, averaged over relu4_1 and relu5_1."""

    key = "content_distance"
    label = "content distance"
    better = "low"
    decimals = 2
    source = "Huang and Belongie, ICCV 2017"
    trained_on = "SANet, MCCNet, MANet and StyTr² (normalized features), AdaIN (another target)"
    networks = ENCODER
    words = (
        "content distance (MSE of features against the content image, mean over relu4_1 and "
        "relu5_1)"
    )

    def prepare_content(self, content: Picture) -> list[Tensor]:
        return content.once(maps)[3:]

    def measure(self, result: Picture, content: list[Tensor], style: None) -> float:
        distances = [
            functional.mse_loss(of_result, of_content).item()
            for of_result, of_content in zip(result.once(maps)[3:], content, strict=True)
        ]
        return sum(distances) / len(distances)
