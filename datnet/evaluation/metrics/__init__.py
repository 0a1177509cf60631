"""The metrics, one file each, listed in the order of table columns."""

from datnet.evaluation.metrics.art_fid import ArtFid
from datnet.evaluation.metrics.content_distance import ContentDistance
from datnet.evaluation.metrics.edges import EdgeAgreement, NewEdges
from datnet.evaluation.metrics.frechet import FrechetDistance
from datnet.evaluation.metrics.lightness import LightnessDifference
from datnet.evaluation.metrics.lpips import Lpips
from datnet.evaluation.metrics.metric import Column, Metric, Picture, SetMetric
from datnet.evaluation.metrics.psnr import Psnr
from datnet.evaluation.metrics.ssim import Ssim
from datnet.evaluation.metrics.style_distance import StyleDistance

METRICS: list[Metric] = [
    Ssim(),
    Psnr(),
    Lpips("alex"),
    Lpips("vgg"),
    ContentDistance(),
    StyleDistance(),
    EdgeAgreement(),
    NewEdges(),
    LightnessDifference(),
]
"""Metrics of single pairs: the columns of results.csv. Evaluations saved before a metric was added
are completed with it when `datnet evaluate` runs again."""

SET_METRICS: list[SetMetric] = [FrechetDistance(), ArtFid()]
"""Metrics of an evaluation as a whole."""

__all__ = ["METRICS", "SET_METRICS", "Column", "Metric", "Picture", "SetMetric"]
