"""What a result is measured by: closeness to the content image and to the style image.

All metrics see the result as a saved 8-bit PNG would hold it, and every metric is computed for one
image at a time, so that no number depends on how images are batched. What needs all results of an
evaluation at once is at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.functional.image import structural_similarity_index_measure

from datnet.evaluation.edges import canny_edges, edge_agreement, new_edges
from datnet.evaluation.frechet import frechet_distance
from datnet.evaluation.perceptual import PerceptualDistance
from datnet.networks.statistics import channel_mean_std
from datnet.networks.vgg import CHANNELS
from datnet.zoo.encoder import vgg_encoder


@dataclass(frozen=True)
class MetricColumn:
    """One column of a table; most are columns of results.csv too.

    Attributes:
        key: The name in files. Tables, dashboards and other people's scripts depend on it.
        label: The name in tables.
        higher_is_better: Which direction is better.
        decimals: Decimals in tables; files hold full precision.
    """

    key: str
    label: str
    higher_is_better: bool
    decimals: int

    @property
    def arrow(self) -> str:
        """Sign for headings: ↑ if higher is better, else ↓."""
        return "↑" if self.higher_is_better else "↓"


METRICS = (
    MetricColumn("ssim", "SSIM", higher_is_better=True, decimals=4),
    MetricColumn("psnr", "PSNR (dB)", higher_is_better=True, decimals=2),
    MetricColumn("lpips_alex", "LPIPS (AlexNet)", higher_is_better=False, decimals=4),
    MetricColumn("lpips_vgg", "LPIPS (VGG)", higher_is_better=False, decimals=4),
    MetricColumn("content_distance", "content distance", higher_is_better=False, decimals=2),
    MetricColumn("style_distance", "style distance", higher_is_better=False, decimals=2),
    MetricColumn("edge_agreement", "edges", higher_is_better=True, decimals=4),
    MetricColumn("new_edges", "new edges", higher_is_better=False, decimals=4),
)
"""What every pair is measured by: the columns of results.csv, in this order."""

SET_METRICS = (
    MetricColumn("frechet_vgg", "FD (VGG)", higher_is_better=False, decimals=1),
    MetricColumn("art_fid_vgg", "ArtFID (VGG)", higher_is_better=False, decimals=1),
)
"""What an evaluation as a whole is measured by; see :func:`set_metrics`."""


@dataclass(frozen=True)
class ContentTarget:
    """What results are compared with on the side of the content: computed once per content image.

    Attributes:
        image: ``(1, 3, H, W)``, float RGB in [0, 1].
        features: Its maps at relu4_1 and relu5_1.
        lpips_alex: Its maps in LPIPS with AlexNet.
        lpips_vgg: Its maps in LPIPS with VGG-16.
        edges: ``(H, W)``, its Canny edges.
    """

    image: Tensor
    features: list[Tensor]
    lpips_alex: list[Tensor]
    lpips_vgg: list[Tensor]
    edges: np.ndarray


@dataclass(frozen=True)
class StyleTarget:
    """What results are compared with on the side of the style: computed once per style image.

    Attributes:
        statistics: Channel means and standard deviations ``(1, C, 1, 1)`` at relu1_1 … relu5_1.
    """

    statistics: list[tuple[Tensor, Tensor]]

    @property
    def embedding(self) -> np.ndarray:
        """Its features at relu5_1, averaged over positions: ``(C,)``, float32."""
        return _embedding(self.statistics)


@dataclass(frozen=True)
class Measurement:
    """What is measured of one result; NaN throughout if the result holds a NaN.

    Attributes:
        values: One for each key of :data:`METRICS`.
        embedding: The encoder's features at relu5_1, averaged over positions: ``(C,)``, float32.
    """

    values: dict[str, float]
    embedding: np.ndarray


def round_to_8_bits(image: Tensor) -> Tensor:
    """Clamp to [0, 1] and round to the 256 values that a saved image can hold.

    Args:
        image: Float RGB of any range, any shape. NaN stays NaN.

    Returns:
        The image as float32.
    """
    return (image.float().clamp(0, 1) * 255).round() / 255


def peak_signal_to_noise_ratio(image: Tensor, reference: Tensor) -> float:
    """PSNR of one image in dB for a data range of 1: ``-10 log10(mean squared error)``.

    Args:
        image: ``(1, 3, H, W)`` in [0, 1].
        reference: The same shape.

    Returns:
        Decibels; infinity for identical images.
    """
    error = (image - reference).square().mean().item()
    return math.inf if error == 0 else -10 * math.log10(error)


def set_metrics(
    results: np.ndarray, styles: np.ndarray, lpips_alex: Sequence[float]
) -> dict[str, float | None]:
    """Measure all results of an evaluation together.

    - ``frechet_vgg``: Fréchet distance between the results and the styles, each pair's style once,
      as in the protocol of StyleID (Chung et al., CVPR 2024).
    - ``art_fid_vgg``: ``(1 + LPIPS) · (1 + Fréchet distance)`` with the mean LPIPS (AlexNet)
      against the contents, the formula of ArtFID (Wright and Ommer, GCPR 2022).

    These are NOT the published FID and ArtFID, whose features come from an Inception-v3, for ArtFID
    one trained on artworks; here they are VGG-16's, so the numbers are on another scale. Nor do
    they have intervals: a Fréchet distance is larger the fewer different images the sets have, and
    a resampled set has fewer, so a bootstrap would be biased. For the same reason they compare
    evaluations of the same pairs only.

    Args:
        results: ``(pairs, C)``, each result's :attr:`Measurement.embedding`.
        styles: ``(pairs, C)``, :attr:`StyleTarget.embedding` of each pair's style.
        lpips_alex: One for each pair.

    Returns:
        A value for each key of :data:`SET_METRICS`; None where there are fewer than two pairs or
        a result holds a NaN.
    """
    distance = frechet_distance(results, styles)
    if math.isnan(distance):
        return {column.key: None for column in SET_METRICS}
    return {
        "frechet_vgg": distance,
        "art_fid_vgg": (1 + float(np.mean(lpips_alex))) * (1 + distance),
    }


class Metrics(nn.Module):
    """Measures one result against its content and its style image.

    - ``ssim``: structural similarity with the content (Wang et al., 2004): 11 × 11 Gaussian window
      with σ 1.5, RGB, data range 1, reflected borders, as torchmetrics computes it.
    - ``psnr``: peak signal-to-noise ratio against the content in dB, data range 1; infinite where
      result and content are identical.
    - ``lpips_alex``, ``lpips_vgg``: learned perceptual distance v0.1 to the content (Zhang et al.,
      CVPR 2018) with AlexNet and with VGG-16.
    - ``content_distance``: mean squared difference of the encoder's features of result and
      content, averaged over relu4_1 and relu5_1.
    - ``style_distance``: mean squared difference of the channel means plus that of the channel
      standard deviations of result and style, averaged over relu1_1 … relu5_1.
    - ``edge_agreement``: F-measure of the Canny edges of result and content, see
      :mod:`datnet.evaluation.edges`.
    - ``new_edges``: share of the result's edges that are not in the content. Beside the agreement
      it tells how far a result is still a photograph of the same things.

    Args:
        lpips_alex: LPIPS with AlexNet; has the methods ``features`` and ``between`` of
            :class:`~datnet.evaluation.perceptual.PerceptualDistance`.
        lpips_vgg: LPIPS with VGG-16.
        encoder: Called with images, returns the five maps relu1_1 … relu5_1.
        encoder_name: How protocol sentences name the encoder.
        embedding_size: Channels of the encoder's relu5_1.
    """

    def __init__(
        self,
        *,
        lpips_alex: PerceptualDistance,
        lpips_vgg: PerceptualDistance,
        encoder: nn.Module,
        encoder_name: str = "an ImageNet VGG-16 with Gatys' normalisation",
        embedding_size: int = CHANNELS[-1],
    ) -> None:
        super().__init__()
        self.lpips_alex = lpips_alex
        self.lpips_vgg = lpips_vgg
        self.encoder = encoder
        self.encoder_name = encoder_name
        self.embedding_size = embedding_size

    @classmethod
    def pretrained(cls) -> Metrics:
        """Build the metrics of the protocol.

        They measure with VGG-16 whatever encoder a network was trained with, so that networks with
        different encoders can be compared.

        Raises:
            DatNetError: If weights are neither here nor can be fetched.
        """
        return cls(
            lpips_alex=PerceptualDistance("alex"),
            lpips_vgg=PerceptualDistance("vgg"),
            encoder=vgg_encoder("vgg16"),
        )

    @torch.no_grad()
    def content_target(self, content: Tensor) -> ContentTarget:
        """Prepare a content image ``(1, 3, H, W)`` in [0, 1] for any number of results."""
        with _full_precision(content.device):
            return ContentTarget(
                content,
                self.encoder(content)[3:],
                self.lpips_alex.features(content),
                self.lpips_vgg.features(content),
                canny_edges(content),
            )

    @torch.no_grad()
    def style_target(self, style: Tensor) -> StyleTarget:
        """Prepare a style image ``(1, 3, H, W)`` in [0, 1] for any number of results."""
        with _full_precision(style.device):
            return StyleTarget([channel_mean_std(features) for features in self.encoder(style)])

    def forward(self, output: Tensor, content: Tensor, style: Tensor) -> dict[str, float]:
        """Measure one result.

        Args:
            output: The result ``(1, 3, H, W)``; clamped to [0, 1] and rounded to 8 bits first.
            content: The content image ``(1, 3, H, W)``, float RGB in [0, 1].
            style: The style image ``(1, 3, H', W')``, float RGB in [0, 1].

        Returns:
            A value for each key of :data:`METRICS`. All of them are NaN if the result holds a NaN.
        """
        return self.measure(output, self.content_target(content), self.style_target(style)).values

    @torch.no_grad()
    def measure(self, output: Tensor, content: ContentTarget, style: StyleTarget) -> Measurement:
        """Measure one result against prepared images; see :meth:`forward`.

        Raises:
            ValueError: If the result is not one RGB image of the content's size.
        """
        if output.shape != content.image.shape or output.shape[:2] != (1, 3):
            raise ValueError(
                f"the result has shape {tuple(output.shape)}; it must be one RGB image of the "
                f"content's shape {tuple(content.image.shape)}"
            )
        image = round_to_8_bits(output)
        if image.isnan().any():
            return Measurement(
                dict.fromkeys((column.key for column in METRICS), math.nan),
                np.full(self.embedding_size, math.nan, np.float32),
            )
        with _full_precision(image.device):
            features = self.encoder(image)
            statistics = [channel_mean_std(level) for level in features]
            lpips_alex, lpips_vgg = (
                network.between(network.features(image), references).item()
                for network, references in (
                    (self.lpips_alex, content.lpips_alex),
                    (self.lpips_vgg, content.lpips_vgg),
                )
            )
            edges = canny_edges(image)
            values = {
                "ssim": _structural_similarity(image, content.image),
                "psnr": peak_signal_to_noise_ratio(image, content.image),
                "lpips_alex": lpips_alex,
                "lpips_vgg": lpips_vgg,
                "content_distance": _content_distance(features, content.features),
                "style_distance": _style_distance(statistics, style.statistics),
                "edge_agreement": edge_agreement(edges, content.edges),
                "new_edges": new_edges(edges, content.edges),
            }
            return Measurement(values, _embedding(statistics))


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Switch off 16-bit autocast and TF32 convolutions: no number is to depend on the device."""
    with (
        torch.autocast(device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
    ):
        yield


def _embedding(statistics: list[tuple[Tensor, Tensor]]) -> np.ndarray:
    """The means at relu5_1 as a vector."""
    mean, _ = statistics[-1]
    return mean.flatten().cpu().numpy()


def _structural_similarity(image: Tensor, reference: Tensor) -> float:
    # In float32 E[x²] - E[x]² cancels to an error of up to 2e-5 (measured on photographs); float64
    # would take ten times as long on a CPU, a quarter of a whole evaluation.
    similarity = structural_similarity_index_measure(
        image, reference, gaussian_kernel=True, sigma=1.5, data_range=1.0
    )
    return cast(Tensor, similarity).item()


def _content_distance(features: list[Tensor], content_features: list[Tensor]) -> float:
    distances = [
        functional.mse_loss(of_result, of_content).item()
        for of_result, of_content in zip(features[3:], content_features, strict=True)
    ]
    return sum(distances) / len(distances)


def _style_distance(
    statistics: list[tuple[Tensor, Tensor]], style_statistics: list[tuple[Tensor, Tensor]]
) -> float:
    distances = []
    for (mean, std), (style_mean, style_std) in zip(statistics, style_statistics, strict=True):
        distance = functional.mse_loss(mean, style_mean) + functional.mse_loss(std, style_std)
        distances.append(distance.item())
    return sum(distances) / len(distances)
