"""What a result is measured by: closeness to the content image and to the style image.

All metrics see the result as a saved 8-bit PNG would hold it, and every metric is computed for one
image at a time, so that no number depends on how images are batched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.functional.image import structural_similarity_index_measure

from datnet.evaluation.perceptual import PerceptualDistance
from datnet.networks.statistics import channel_mean_std
from datnet.networks.vgg import VggEncoder


@dataclass(frozen=True)
class MetricColumn:
    """One column of results.csv and of every table.

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
)
"""The columns of results.csv, in this order."""


@dataclass(frozen=True)
class ContentTarget:
    """What results are compared with on the side of the content: computed once per content image.

    Attributes:
        image: ``(1, 3, H, W)``, float RGB in [0, 1].
        features: Its maps at relu4_1 and relu5_1.
    """

    image: Tensor
    features: list[Tensor]


@dataclass(frozen=True)
class StyleTarget:
    """What results are compared with on the side of the style: computed once per style image.

    Attributes:
        statistics: Channel means and standard deviations ``(1, C, 1, 1)`` at relu1_1 … relu5_1.
    """

    statistics: list[tuple[Tensor, Tensor]]


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

    Args:
        lpips_alex: Called with two images ``(1, 3, H, W)`` in [0, 1], returns ``(1,)``.
        lpips_vgg: The same with VGG-16.
        encoder: Called with images, returns the five maps relu1_1 … relu5_1.
        encoder_name: How protocol sentences name the encoder.
    """

    def __init__(
        self,
        *,
        lpips_alex: nn.Module,
        lpips_vgg: nn.Module,
        encoder: nn.Module,
        encoder_name: str = "an ImageNet VGG-16 with Gatys' normalisation",
    ) -> None:
        super().__init__()
        self.lpips_alex = lpips_alex
        self.lpips_vgg = lpips_vgg
        self.encoder = encoder
        self.encoder_name = encoder_name

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
            encoder=VggEncoder("vgg16"),
        )

    @torch.no_grad()
    def content_target(self, content: Tensor) -> ContentTarget:
        """Prepare a content image ``(1, 3, H, W)`` in [0, 1] for any number of results."""
        with _full_precision(content.device):
            return ContentTarget(content, self.encoder(content)[3:])

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
        return self.measure(output, self.content_target(content), self.style_target(style))

    @torch.no_grad()
    def measure(
        self, output: Tensor, content: ContentTarget, style: StyleTarget
    ) -> dict[str, float]:
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
            return dict.fromkeys((column.key for column in METRICS), math.nan)
        with _full_precision(image.device):
            features = self.encoder(image)
            return {
                "ssim": _structural_similarity(image, content.image),
                "psnr": peak_signal_to_noise_ratio(image, content.image),
                "lpips_alex": self.lpips_alex(image, content.image).item(),
                "lpips_vgg": self.lpips_vgg(image, content.image).item(),
                "content_distance": _content_distance(features, content.features),
                "style_distance": _style_distance(features, style.statistics),
            }


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Switch off 16-bit autocast and TF32 convolutions: no number is to depend on the device."""
    with (
        torch.autocast(device.type, enabled=False),
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
    ):
        yield


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


def _style_distance(features: list[Tensor], style_statistics: list[tuple[Tensor, Tensor]]) -> float:
    distances = []
    for of_result, (style_mean, style_std) in zip(features, style_statistics, strict=True):
        mean, std = channel_mean_std(of_result)
        distance = functional.mse_loss(mean, style_mean) + functional.mse_loss(std, style_std)
        distances.append(distance.item())
    return sum(distances) / len(distances)
