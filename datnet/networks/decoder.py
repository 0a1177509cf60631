"""Decoders: from relu4_1 features back to images, the encoder mirrored.

Every convolution is 3 × 3 with reflection padding and a ReLU behind it, save the last, which is
linear. Maps are enlarged by repeating pixels (nearest), which leaves no checkerboard.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from datnet.networks.ops.convolution import Convolution
from datnet.networks.ops.strips import in_strips


def relu() -> nn.ReLU:
    """A ReLU that overwrites what a convolution has made, which no backward pass needs."""
    return nn.ReLU(inplace=True)


def enlarge() -> nn.Upsample:
    """Repeat every pixel 2 × 2 times."""
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


def _paint_in_strips(paint: Callable[..., Tensor], fused: Tensor, *skip: Tensor) -> Tensor:
    """Large images strip by strip, see :func:`~datnet.networks.ops.strips.in_strips`.

    A row at an eighth of the size depends on 3.75 rows above and below it: one convolution there,
    four at a quarter, two at a half, two at full size. The largest map has 64 channels.
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
    """The decoder of AdaIN, SANet and their descendants: ``(B, 512, H/8, W/8)`` to images.

    Source: AdaIN (Huang and Belongie, ICCV 2017). 3 505 219 parameters.
    """

    def __init__(self) -> None:
        super().__init__(Convolution(512, 256), relu(), enlarge(), *_relu3_to_image(256))

    def forward(self, fused: Tensor) -> Tensor:
        """Paint images, not clamped, large ones in strips."""
        return _paint_in_strips(super().forward, fused)


class SkipDecoder(nn.Module):
    """The decoder of AdaAttN and DatNet, where fused relu3_1 features join after the first step.

    Source: AdaAttN (Liu et al., ICCV 2021). 4 095 043 parameters.

    Args:
        relu3_fusion: Whether a 1 × 1 convolution adds what both inputs say to the skip before they
            are joined. DatNet's text does not describe it, but with it and VGG-19 the network has
            the 26.71 M parameters of the paper's Table 2.
    """

    def __init__(self, relu3_fusion: bool = False) -> None:
        super().__init__()
        self.relu3_fusion = nn.Conv2d(512, 256, 1) if relu3_fusion else None
        self.from_relu4 = nn.Sequential(Convolution(512, 256), relu(), enlarge())
        self.to_image = nn.Sequential(*_relu3_to_image(512))

    def forward(self, fused: Tensor, skip: Tensor) -> Tensor:
        """Paint images.

        Args:
            fused: Fused features of levels 4 and 5, ``(B, 512, H/8, W/8)``.
            skip: Fused features of level 3, ``(B, 256, H/4, W/4)``.

        Returns:
            Images ``(B, 3, H, W)`` with H and W multiples of 4, not clamped.
        """
        return _paint_in_strips(self._paint, fused, skip)

    def _paint(self, fused: Tensor, skip: Tensor) -> Tensor:
        height, width = skip.shape[2:]
        enlarged = self.from_relu4(fused)[:, :, :height, :width]
        skip = skip.to(enlarged.dtype)
        if self.relu3_fusion is not None:
            skip = skip + self.relu3_fusion(torch.cat([enlarged, skip], dim=1))
        return self.to_image(torch.cat([enlarged, skip], dim=1))
