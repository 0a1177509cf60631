"""The image transformation network of Johnson et al., with conditional instance normalization.

Convolutions down to a quarter of the sides, five residual blocks and resize-convolutions up again.
A style is a scale and a shift for each channel of each normalization.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from datnet.networks.base import weighted_sum
from datnet.networks.ops.convolution import Convolution
from datnet.networks.own_paintings import OwnStyleNetwork
from datnet.networks.statistics import channel_mean_std, full_precision

RESIDUAL_BLOCKS = 5


class ConditionalNorm(nn.Module):
    """Instance normalization with a scale and a shift of each style.

    Args:
        styles: Number of styles.
        channels: Channels of the features.
    """

    def __init__(self, styles: int, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(styles, channels))
        self.shift = nn.Parameter(torch.zeros(styles, channels))

    def of(self, styles: Tensor) -> list[Tensor]:
        """[scale, shift] of styles by index ``(B,)``, each ``(B, C, 1, 1)``."""
        return [each[styles][:, :, None, None] for each in (self.scale, self.shift)]

    def forward(self, features: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Normalize features, then apply scale and shift.

        Args:
            features: ``(B, C, H, W)``.
            scale: ``(B, C, 1, 1)``.
            shift: ``(B, C, 1, 1)``.

        Returns:
            ``(B, C, H, W)``, at least float32.
        """
        mean, std = channel_mean_std(features)
        factor = scale / std
        return torch.addcmul(shift - mean * factor, full_precision(features), factor)


class Layer(nn.Module):
    """Upsampling if any, convolution, conditional normalization if any, ReLU if any.

    Args:
        styles: Number of styles.
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Of the convolution.
        stride: Of the convolution.
        enlarge: Factor of nearest-neighbor upsampling before the convolution.
        normalize: Whether to normalize.
        relu: Whether a ReLU follows.
    """

    def __init__(
        self,
        styles: int,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        enlarge: int = 1,
        normalize: bool = True,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.enlarge = nn.Upsample(scale_factor=enlarge, mode="nearest") if enlarge > 1 else None
        self.convolution = Convolution(in_channels, out_channels, kernel_size, stride=stride)
        self.norm = ConditionalNorm(styles, out_channels) if normalize else None
        self.relu = relu

    def forward(self, maps: Tensor, style: list[Tensor]) -> Tensor:
        """Apply the layer; takes its scale and shift from the front of ``style``."""
        if self.enlarge is not None:
            maps = self.enlarge(maps)
        maps = self.convolution(maps)
        if self.norm is not None:
            maps = self.norm(maps, style.pop(0), style.pop(0))
        return maps.relu_() if self.relu else maps


class ResidualBlock(nn.Module):
    """Two normalized convolutions of 128 channels with a skip connection, no ReLU at the end.

    Args:
        styles: Number of styles.
    """

    def __init__(self, styles: int) -> None:
        super().__init__()
        self.first = Layer(styles, 128, 128)
        self.second = Layer(styles, 128, 128, relu=False)

    def forward(self, maps: Tensor, style: list[Tensor]) -> Tensor:
        """Refine ``(B, 128, H/4, W/4)``."""
        return maps + self.second(self.first(maps, style), style)


class TransformerNet(OwnStyleNetwork):
    """Image transformation network for the paintings it was trained with.

    With ``alpha`` below 1 the result is blended with the content, pixel by pixel: there is no other
    network in between. Any image size works; the output is cropped to the content's size.

    Args:
        paintings: Names of the paintings; one set of scales and shifts for each.
        normalize_output: Whether the last convolution is normalized, too.
    """

    def __init__(self, paintings: Sequence[str], *, normalize_output: bool) -> None:
        super().__init__(paintings)
        styles = len(paintings)
        self.layers = nn.ModuleList(
            [
                Layer(styles, 3, 32, 9),
                Layer(styles, 32, 64, stride=2),
                Layer(styles, 64, 128, stride=2),
                *(ResidualBlock(styles) for _ in range(RESIDUAL_BLOCKS)),
                Layer(styles, 128, 64, enlarge=2),
                Layer(styles, 64, 32, enlarge=2),
                Layer(styles, 32, 3, 9, normalize=normalize_output, relu=False),
            ]
        )

    def norms(self) -> list[ConditionalNorm]:
        """The normalizations in order."""
        return [module for module in self.modules() if isinstance(module, ConditionalNorm)]

    def style_parameters(self) -> list[nn.Parameter]:
        """Scales and shifts ``(paintings, C)`` of all normalizations."""
        return [each for norm in self.norms() for each in (norm.scale, norm.shift)]

    def encode_content(self, images: Tensor) -> list[Tensor]:
        """[images]: the network is applied to the content by :meth:`generate_mixed`."""
        return [images]

    def encode_style(self, images: Tensor) -> list[Tensor]:
        """Scale and shift of each normalization, ``(B, C, 1, 1)``, of the paintings shown.

        Raises:
            DatNetError: If an image is none of the network's paintings.
        """
        styles = self.paintings.recognize(images)
        return [each for norm in self.norms() for each in norm.of(styles)]

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        """Stylize encoded images, see :meth:`StyleTransferNetwork.generate_mixed`.

        The scales and shifts of all styles are averaged (Dumoulin et al., section 3.2).
        """
        (images,) = content_features
        style = [weighted_sum(each, weights) for each in zip(*styles, strict=True)]
        maps = images
        for layer in self.layers:
            maps = layer(maps, style)
        output = maps.sigmoid()[:, :, : size[0], : size[1]]
        if isinstance(alpha, Tensor) or alpha < 1:
            output = torch.lerp(images.to(output.dtype), output, alpha)
        return output
