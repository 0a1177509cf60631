"""Decoders from relu4_1 features to images, mirroring the VGG encoder.

All convolutions are 3 × 3 with reflection padding and followed by a ReLU, except the last, which is
linear. Nearest-neighbor upsampling avoids checkerboard artifacts.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from datnet.networks.ops.convolution import Convolution
from datnet.networks.ops.strips import in_strips


def relu() -> nn.ReLU:
    """In-place ReLU; the backward pass does not need the convolution's output."""
    return nn.ReLU(inplace=True)


def enlarge() -> nn.Upsample:
    """Nearest-neighbor upsampling by 2."""
    return nn.Upsample(scale_factor=2, mode="nearest")


def _relu3_to_image(in_channels: int) -> list[nn.Module]:
    return [
        Convolution(in_channels, 256), relu(),
        Convolution(256, 256), relu(),
        Convolution(256, 256), relu(),
        Convolution(256, 128), relu(),
        enlarge(),
        Convolution(128, 128), relu(),
        Convolution(128, 64), relu(),
        enlarge(),
        Convolution(64, 64), relu(),
        Convolution(64, 3),
    ]  # fmt: skip


def _decode_in_strips(paint: Callable[..., Tensor], fused: Tensor, *skip: Tensor) -> Tensor:
    """Decode in strips if images are large, see :func:`~datnet.networks.ops.strips.in_strips`.

    The receptive field of an output row is 3.75 rows above and below at 1/8 resolution: one
    convolution at 1/8, four at 1/4, two at 1/2, two at full resolution. The largest map has 64
    channels.

    Args:
        paint: The decoder.
        fused: Fused features ``(B, 512, H/8, W/8)``.
        skip: Features for skip connections at 1/4 resolution.

    Returns:
        Images ``(B, 3, H, W)``.
    """
    return in_strips(
        paint,
        [fused, *skip],
        input_rows=[1, *(2 for _ in skip)],
        output_rows=8,
        margin=4,
        numbers_per_row=fused.shape[0] * fused.shape[3] * 8 * 8 * 64,
    )


class Decoder(nn.Sequential):
    """The decoder of AdaIN, SANet, MANet, MCCNet and StyTr²: ``(B, 512, H/8, W/8)`` to images.

    Source: AdaIN (Huang and Belongie, ICCV 2017). 3 505 219 parameters.
    """

    def __init__(self) -> None:
        super().__init__(Convolution(512, 256), relu(), enlarge(), *_relu3_to_image(256))

    def forward(self, fused: Tensor) -> Tensor:
        """Decode ``(B, 512, H/8, W/8)`` to images ``(B, 3, H, W)``, not clamped."""
        return _decode_in_strips(super().forward, fused)


class SkipDecoder(nn.Module):
    """The decoder of AdaAttN and DatNet, with a skip connection at relu3_1.

    The fused relu3_1 features are concatenated after the first upsampling. Source: AdaAttN (Liu et
    al., ICCV 2021). 4 095 043 parameters.

    Args:
        relu3_fusion: Whether a 1 × 1 convolution of both inputs is added to the skip features
            before the concatenation. DatNet's text does not describe it, but with it and VGG-19 the
            network has the 26.71 M parameters of the paper's Table 2.
    """

    def __init__(self, relu3_fusion: bool = False) -> None:
        super().__init__()
        self.relu3_fusion = nn.Conv2d(512, 256, 1) if relu3_fusion else None
        self.from_relu4 = nn.Sequential(Convolution(512, 256), relu(), enlarge())
        self.to_image = nn.Sequential(*_relu3_to_image(512))

    def forward(self, fused: Tensor, skip: Tensor) -> Tensor:
        """Decode fused features to images.

        Args:
            fused: Merged features of levels 4 and 5, ``(B, 512, H/8, W/8)``.
            skip: Fused features of level 3, ``(B, 256, H/4, W/4)``.

        Returns:
            Images ``(B, 3, H, W)`` with H and W multiples of 4, not clamped.
        """
        return _decode_in_strips(self._decode, fused, skip)

    def _decode(self, fused: Tensor, skip: Tensor) -> Tensor:
        height, width = skip.shape[2:]
        enlarged = self.from_relu4(fused)[:, :, :height, :width]
        skip = skip.to(enlarged.dtype)
        if self.relu3_fusion is not None:
            skip = skip + self.relu3_fusion(torch.cat([enlarged, skip], dim=1))
        return self.to_image(torch.cat([enlarged, skip], dim=1))
