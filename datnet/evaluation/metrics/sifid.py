"""Fréchet distance between the features of two single images."""

from __future__ import annotations

from datnet.evaluation.metrics.alexnet import ALEXNET, maps
from datnet.evaluation.metrics.frechet import Normal, fit_normal, normal_distance
from datnet.evaluation.metrics.metric import Metric, Picture


def first_features(picture: Picture) -> Normal:
    """Fit a normal distribution to the positions of AlexNet's first feature map."""
    return fit_normal(picture.once(maps)[0].flatten(2)[0].T.cpu().numpy())


class SingleImageFrechetDistance(Metric):
    """Fréchet distance between the local features of result and style.

    As SIFID (Rott Shaham, Dekel, Michaeli, *SinGAN*, ICCV 2019), which takes one 64-dimensional
    vector per position from the first layers of an Inception network; here they are from AlexNet's
    first ReLU, also 64-dimensional, so the scale differs. It sees means and correlations of edges
    and colors, not shapes.
    """

    key = "sifid_alex"
    label = "SIFID (AlexNet)"
    better = "low"
    decimals = 2
    source = "Rott Shaham et al., ICCV 2019, in AlexNet instead of Inception"
    networks = ALEXNET
    words = (
        "SIFID (AlexNet) (Fréchet distance between the features of all positions of result and "
        "style image at AlexNet's first ReLU; not comparable with SIFID in Inception features)"
    )

    def prepare_style(self, style: Picture) -> Normal:
        return style.once(first_features)

    def measure(self, result: Picture, content: None, style: Normal) -> float:
        return normal_distance(result.once(first_features), style)
