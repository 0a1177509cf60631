"""The metrics, one file each, listed in the order of table columns."""

from datnet.evaluation.metrics.art_fid import ArtFid
from datnet.evaluation.metrics.color import ColorDistance
from datnet.evaluation.metrics.content_distance import ContentDistance
from datnet.evaluation.metrics.dists import StructureTextureDistance
from datnet.evaluation.metrics.edges import EdgeAgreement, NewEdges
from datnet.evaluation.metrics.frechet import FrechetDistance
from datnet.evaluation.metrics.gram import GramDistance
from datnet.evaluation.metrics.lightness import LightnessDifference
from datnet.evaluation.metrics.lpips import Lpips
from datnet.evaluation.metrics.metric import Column, Metric, Picture, SetMetric
from datnet.evaluation.metrics.psnr import Psnr
from datnet.evaluation.metrics.sifid import SingleImageFrechetDistance
from datnet.evaluation.metrics.ssim import Ssim
from datnet.evaluation.metrics.structure import ContentStructureDistance
from datnet.evaluation.metrics.style_alex import AlexNetStyleDistance
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

OPTIONAL_METRICS: list[Metric] = [
    AlexNetStyleDistance(),
    GramDistance(),
    ColorDistance(),
    SingleImageFrechetDistance(),
    ContentStructureDistance(),
    StructureTextureDistance(),
]
"""Metrics of single pairs that are measured on request. They are independent of the networks'
losses, but not part of the tables that were measured before they were added."""

INDEPENDENT = ("style_alex", "gram_distance", "color_distance", "sifid_alex")
"""Keys of the optional metrics of style that add little time."""

SET_METRICS: list[SetMetric] = [FrechetDistance(), ArtFid()]
"""Metrics of an evaluation as a whole."""


def pair_metrics() -> list[Metric]:
    """Return all metrics of single pairs in the order of table columns."""
    return [*METRICS, *OPTIONAL_METRICS]


__all__ = [
    "INDEPENDENT",
    "METRICS",
    "OPTIONAL_METRICS",
    "SET_METRICS",
    "Column",
    "Metric",
    "Picture",
    "SetMetric",
    "pair_metrics",
]
