"""ArtFID's formula: content and style similarity in one value for all results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from datnet.evaluation.metrics.features import ENCODER
from datnet.evaluation.metrics.frechet import frechet_distance
from datnet.evaluation.metrics.metric import SetMetric


class ArtFid(SetMetric):
    """``(1 + LPIPS) · (1 + Fréchet distance)`` with the mean LPIPS (AlexNet) against the contents.

    The formula of ArtFID (Wright and Ommer, GCPR 2022), but not the published ArtFID, whose
    features come from an Inception-v3 trained on artworks: see
    :class:`~datnet.evaluation.metrics.frechet.FrechetDistance`.
    """

    key = "art_fid_vgg"
    label = "ArtFID (VGG)"
    better = "low"
    decimals = 1
    source = "formula of Wright and Ommer, GCPR 2022, in VGG-16 instead of Inception"
    networks = ENCODER
    needs = ("lpips_alex",)
    words = (
        "ArtFID (VGG) is (1 + mean LPIPS (AlexNet)) · (1 + FD (VGG)), likewise not comparable "
        "with published ArtFID and without an interval."
    )

    def measure(
        self, results: np.ndarray, styles: np.ndarray, pairs: Mapping[str, Sequence[float]]
    ) -> float | None:
        distance = frechet_distance(results, styles)
        if np.isnan(distance):
            return None
        return (1 + float(np.mean(pairs["lpips_alex"]))) * (1 + distance)
