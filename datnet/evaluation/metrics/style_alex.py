"""Style distance in features that no network here is trained with."""

from __future__ import annotations

from torch import Tensor

from datnet.evaluation.metrics.alexnet import ALEXNET, Statistics, statistics
from datnet.evaluation.metrics.metric import Metric, Picture


def relative_distance(result: Statistics, style: Statistics) -> float:
    """Distance of channel statistics relative to those of the style, averaged over layers.

    Per layer: ``(|m - m_s|² + |d - d_s|²) / (|m_s|² + |d_s|²)`` with the means m and the standard
    deviations d of all channels. Dividing makes layers of different scales count alike.

    Args:
        result: Of the result.
        style: Of the style image.

    Returns:
        0 for equal statistics; 1 for features that are all 0.
    """

    def square(vector: Tensor) -> float:
        return vector.double().square().sum().item()

    distances = [
        (square(mean - style_mean) + square(std - style_std))
        / max(square(style_mean) + square(style_std), 1e-12)
        for (mean, std), (style_mean, style_std) in zip(result, style, strict=True)
    ]
    return sum(distances) / len(distances)


class AlexNetStyleDistance(Metric):
    """Distance of result and style in the statistics of AlexNet's five ReLUs.

    The statistics are those of the style distance (Huang and Belongie, ICCV 2017), the network is
    another: AlexNet (Krizhevsky, 2014) shares neither weights nor architecture with the encoders
    and losses.
    """

    key = "style_alex"
    label = "style (AlexNet)"
    better = "low"
    decimals = 3
    source = "statistics of Huang and Belongie, ICCV 2017; AlexNet of Krizhevsky, 2014"
    networks = ALEXNET
    words = (
        "style (AlexNet) (squared distance of channel means and standard deviations to the style "
        "image, relative to those of the style image, mean over AlexNet's five ReLUs)"
    )

    def prepare_style(self, style: Picture) -> Statistics:
        return style.once(statistics)

    def measure(self, result: Picture, content: None, style: Statistics) -> float:
        return relative_distance(result.once(statistics), style)
