"""Measures one result against its content and its style image, by every metric at once.

All metrics see the result as a saved 8-bit PNG would hold it, and every metric is computed for one
image at a time, so that no number depends on how images are batched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from datnet.evaluation.metrics import METRICS, SET_METRICS, Metric, Picture
from datnet.evaluation.metrics.features import embedding
from datnet.networks.vgg import CHANNELS


@dataclass(frozen=True)
class ContentTarget:
    """What results are compared with on the side of the content: computed once per content image.

    Attributes:
        shape: ``(1, 3, H, W)``, which its results must have.
        prepared: By the key of a metric: what it prepared.
    """

    shape: torch.Size
    prepared: dict[str, Any]


@dataclass(frozen=True)
class StyleTarget:
    """What results are compared with on the side of the style: computed once per style image.

    Attributes:
        prepared: By the key of a metric: what it prepared.
        embedding: Features at relu5_1, averaged over positions: ``(C,)``, float32; None if not
            asked for.
    """

    prepared: dict[str, Any]
    embedding: np.ndarray | None


@dataclass(frozen=True)
class MeasuredResult:
    """What is measured of one result; NaN throughout if the result holds a NaN.

    Attributes:
        values: By the key of a metric.
        embedding: As for :class:`StyleTarget`.
    """

    values: dict[str, float]
    embedding: np.ndarray | None


def round_to_8_bits(image: Tensor) -> Tensor:
    """Clamp to [0, 1] and round to the 256 values that a saved image can hold.

    Args:
        image: Float RGB of any range, any shape. NaN stays NaN.

    Returns:
        The image as float32.
    """
    return (image.float().clamp(0, 1) * 255).round() / 255


class Metrics(nn.Module):
    """Measures results by :data:`~datnet.evaluation.metrics.METRICS`.

    Args:
        networks: What the metrics compute with, by the names in their ``networks``.
        encoder_name: How the text above tables calls the network ``"encoder"``. It is part of
            protocol.json: with another one no saved evaluation goes on.
        embedding_size: Channels of its relu5_1.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        *,
        encoder_name: str = "an ImageNet VGG-16 with Gatys' normalisation",
        embedding_size: int = CHANNELS[-1],
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.encoder_name = encoder_name
        self.embedding_size = embedding_size

    @classmethod
    def pretrained(cls) -> Metrics:
        """Build the metrics of the protocol.

        Raises:
            DatNetError: If weights are neither here nor can be fetched.
        """
        makers = {
            name: make
            for metric in (*METRICS, *SET_METRICS)
            for name, make in metric.networks.items()
        }
        return cls({name: make() for name, make in makers.items()})

    @torch.no_grad()
    def content_target(self, content: Tensor, metrics: Sequence[Metric] = METRICS) -> ContentTarget:
        """Prepare a content image ``(1, 3, H, W)`` in [0, 1] for any number of results."""
        picture = self._picture(content)
        with _full_precision(content.device):
            prepared = {metric.key: metric.prepare_content(picture) for metric in metrics}
        return ContentTarget(content.shape, prepared)

    @torch.no_grad()
    def style_target(
        self, style: Tensor, metrics: Sequence[Metric] = METRICS, *, embed: bool = True
    ) -> StyleTarget:
        """Prepare a style image ``(1, 3, H, W)`` in [0, 1] for any number of results."""
        picture = self._picture(style)
        with _full_precision(style.device):
            prepared = {metric.key: metric.prepare_style(picture) for metric in metrics}
            return StyleTarget(prepared, picture.once(embedding) if embed else None)

    def forward(self, output: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
        """Measure one result.

        Args:
            output: The result ``(1, 3, H, W)``; clamped to [0, 1] and rounded to 8 bits first.
            content: The content image ``(1, 3, H, W)``, float RGB in [0, 1].
            style: The style image ``(1, 3, H', W')``, float RGB in [0, 1].

        Returns:
            A value for each key of :data:`~datnet.evaluation.metrics.METRICS`. All of them are NaN
            if the result holds a NaN.
        """
        return self.measure(output, self.content_target(content), self.style_target(style)).values

    @torch.no_grad()
    def measure(
        self,
        output: Tensor,
        content: ContentTarget,
        style: StyleTarget,
        metrics: Sequence[Metric] = METRICS,
        *,
        embed: bool = True,
    ) -> MeasuredResult:
        """Measure one result against prepared images; see :meth:`forward`.

        Args:
            output: The result ``(1, 3, H, W)``.
            content: Of :meth:`content_target`, prepared for these metrics.
            style: Of :meth:`style_target`, likewise.
            metrics: By what is measured.
            embed: Whether the embedding is wanted.

        Raises:
            ValueError: If the result is not one RGB image of the content's size.
        """
        if output.shape != content.shape or output.shape[:2] != (1, 3):
            raise ValueError(
                f"the result has shape {tuple(output.shape)}; it must be one RGB image of the "
                f"content's shape {tuple(content.shape)}"
            )
        picture = self._picture(round_to_8_bits(output))
        if picture.pixels.isnan().any():
            return MeasuredResult(
                dict.fromkeys((metric.key for metric in metrics), math.nan),
                np.full(self.embedding_size, math.nan, np.float32),
            )
        with _full_precision(output.device):
            values = {
                metric.key: metric.measure(
                    picture, content.prepared[metric.key], style.prepared[metric.key]
                )
                for metric in metrics
            }
            return MeasuredResult(values, picture.once(embedding) if embed else None)

    def _picture(self, pixels: Tensor) -> Picture:
        return Picture(pixels, dict(self.networks.items()))


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Switch off 16-bit autocast and TF32 convolutions: no number is to depend on the device."""
    with (
        torch.autocast(device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
    ):
        yield
