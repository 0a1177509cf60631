"""Metrics without weights: LPIPS is replaced by a predictable difference."""

from __future__ import annotations

from torch import Tensor, nn

from datnet.evaluation.measuring import Metrics


class MeanDifference(nn.Module):
    """Mean absolute difference of pixels."""

    def features(self, images: Tensor) -> list[Tensor]:
        return [images]

    def between(self, features: list[Tensor], references: list[Tensor]) -> Tensor:
        return (features[0] - references[0]).abs().mean((1, 2, 3))


def metrics_with(encoder: nn.Module, **options: int) -> Metrics:
    """All metrics, with features of the given encoder."""
    networks = {"encoder": encoder, "lpips_alex": MeanDifference(), "lpips_vgg": MeanDifference()}
    return Metrics(networks, **options)
