"""Structural similarity."""

from __future__ import annotations

from typing import cast

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from datnet.evaluation.metrics.metric import Metric, Picture


class Ssim(Metric):
    """Structural similarity of result and content (Wang et al., 2004).

    11 × 11 Gaussian window with σ 1.5, RGB, data range 1, reflected borders, as torchmetrics
    computes it.
    """

    key = "ssim"
    label = "SSIM"
    better = "high"
    decimals = 4
    source = "Wang et al., IEEE TIP 2004"
    words = "SSIM against the content image (11×11 Gaussian window, σ 1.5, RGB, data range 1)"

    def prepare_content(self, content: Picture) -> Tensor:
        return content.pixels

    def measure(self, result: Picture, content: Tensor, style: None) -> float:
        # In float32, cancellation in E[x²] - E[x]² gives errors of up to 2e-5 (measured on
        # photographs). float64 takes ten times as long on a CPU, a quarter of an evaluation.
        similarity = structural_similarity_index_measure(
            result.pixels, content, gaussian_kernel=True, sigma=1.5, data_range=1.0
        )
        return cast(Tensor, similarity).item()
