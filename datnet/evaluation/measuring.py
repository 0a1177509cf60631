"""Measures a result against its content and style images with all metrics.

The result is rounded to 8 bits as in a PNG. Metrics are computed for one image at a time, so values
do not depend on batching.
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

from datnet.evaluation.metrics import METRICS, SET_METRICS, Column, Metric, Picture
from datnet.evaluation.metrics.features import embedding
from datnet.networks.vgg import CHANNELS


@dataclass(frozen=True)
class ContentTarget:
    """Precomputed reference values of a content image.

    Attributes:
        shape: ``(1, 3, H, W)``, the shape that its results must have.
        prepared: What each metric prepared, by key.
    """

    shape: torch.Size
    prepared: dict[str, Any]


@dataclass(frozen=True)
class StyleTarget:
    """Precomputed reference values of a style image.

    Attributes:
        prepared: What each metric prepared, by key.
        embedding: Features at relu5_1, averaged over positions: ``(C,)``, float32; None if not
            requested.
    """

    prepared: dict[str, Any]
    embedding: np.ndarray | None


@dataclass(frozen=True)
class MeasuredResult:
    """Metrics of one result; all NaN if the result contains a NaN.

    Attributes:
        values: Values by the key of the metric.
        embedding: As in :class:`StyleTarget`.
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
    """Measures results with :data:`~datnet.evaluation.metrics.METRICS`.

    >>> metrics = Metrics.pretrained()  # doctest: +SKIP
    >>> content, style = torch.rand(2, 1, 3, 64, 64)
    >>> targets = metrics.content_target(content), metrics.style_target(style)
    >>> measured = metrics.measure(content, *targets)  # the control that does nothing
    >>> round(measured.values["ssim"], 3)
    1.0

    Args:
        networks: The networks that metrics use, by the names in their ``networks``.
        encoder_name: Name of the network ``"encoder"`` in the text above tables. It is part of
            protocol.json: saved evaluations cannot be continued with another name.
        embedding_size: Number of channels of its relu5_1.
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
    def pretrained(cls, columns: Sequence[Column] = (*METRICS, *SET_METRICS)) -> Metrics:
        """Build the networks that metrics use.

        Args:
            columns: The metrics; by default those of the protocol.

        Raises:
            DatNetError: If weights are missing and cannot be downloaded.
        """
        makers = {name: make for column in columns for name, make in column.networks.items()}
        networks = {name: make() for name, make in makers.items()}
        # Convolutions are faster on channels-last maps, and load_network has its encoders so.
        return cls(networks).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def content_target(
        self, content: Tensor | Picture, metrics: Sequence[Metric] = METRICS
    ) -> ContentTarget:
        """Prepare a content image for any number of results.

        Args:
            content: ``(1, 3, H, W)``, float RGB in [0, 1]; or a picture from :meth:`picture`.
            metrics: The metrics to prepare.

        Returns:
            The reference values for :meth:`measure`.
        """
        picture = content if isinstance(content, Picture) else self.picture(content)
        with full_precision(picture.pixels.device):
            prepared = {metric.key: metric.prepare_content(picture) for metric in metrics}
        return ContentTarget(picture.pixels.shape, prepared)

    @torch.no_grad()
    def style_target(
        self, style: Tensor | Picture, metrics: Sequence[Metric] = METRICS, *, embed: bool = True
    ) -> StyleTarget:
        """Prepare a style image for any number of results.

        Args:
            style: ``(1, 3, H, W)``, float RGB in [0, 1]; or a picture from :meth:`picture`.
            metrics: The metrics to prepare.
            embed: Whether to compute the embedding.

        Returns:
            The reference values for :meth:`measure`.
        """
        picture = style if isinstance(style, Picture) else self.picture(style)
        with full_precision(picture.pixels.device):
            prepared = {metric.key: metric.prepare_style(picture) for metric in metrics}
            return StyleTarget(prepared, picture.once(embedding) if embed else None)

    def forward(self, output: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
        """Measure one result.

        Args:
            output: The result ``(1, 3, H, W)``; clamped to [0, 1] and rounded to 8 bits first.
            content: The content image ``(1, 3, H, W)``, float RGB in [0, 1].
            style: The style image ``(1, 3, H', W')``, float RGB in [0, 1].

        Returns:
            A value for each key of :data:`~datnet.evaluation.metrics.METRICS`; all NaN if the
            result contains a NaN.
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
        known: Sequence[Picture] = (),
    ) -> MeasuredResult:
        """Measure one result against prepared images; see :meth:`forward`.

        Args:
            output: The result ``(1, 3, H, W)``; clamped to [0, 1] and rounded to 8 bits first.
            content: From :meth:`content_target`, prepared for these metrics.
            style: From :meth:`style_target`, prepared for these metrics.
            metrics: The metrics to measure.
            embed: Whether to compute the embedding.
            known: Pictures such as content and style. If the result equals one of them, as those
                of controls do, what was computed from it is used again.

        Returns:
            The values and, if requested, the embedding.

        Raises:
            ValueError: If the result is not one RGB image of the content's size.
        """
        if output.shape != content.shape or output.shape[:2] != (1, 3):
            raise ValueError(
                f"the result has shape {tuple(output.shape)}; it must be one RGB image of the "
                f"content's shape {tuple(content.shape)}"
            )
        pixels = round_to_8_bits(output)
        equal = (picture for picture in known if torch.equal(picture.pixels, pixels))
        picture = next(equal, None) or self.picture(pixels)
        if pixels.isnan().any():
            return MeasuredResult(
                dict.fromkeys((metric.key for metric in metrics), math.nan),
                np.full(self.embedding_size, math.nan, np.float32),
            )
        with full_precision(output.device):
            values = {
                metric.key: metric.measure(
                    picture, content.prepared[metric.key], style.prepared[metric.key]
                )
                for metric in metrics
            }
            return MeasuredResult(values, picture.once(embedding) if embed else None)

    def picture(self, pixels: Tensor) -> Picture:
        """Return an image ``(1, 3, H, W)`` that keeps what metrics compute from it."""
        return Picture(pixels, dict(self.networks.items()))


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Disable 16-bit autocast and TF32 convolutions, so that values do not depend on the device."""
    with (
        torch.autocast(device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
    ):
        yield
