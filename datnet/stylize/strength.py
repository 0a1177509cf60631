"""The strength that covers a wanted share of the way from a photograph to its painting's style."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from datnet.images.opening import Picture, open_picture, resize_short_side, visible
from datnet.images.tensors import to_tensor
from datnet.networks.vgg import VggEncoder
from datnet.objectives.terms import global_style
from datnet.stylize.options import SMALLEST_SIDE, StylizeOptions
from datnet.stylize.prepared import EncodedStyle

if TYPE_CHECKING:
    from datnet.stylize.stylizer import Stylizer

SIDE = 256
"""Largest shorter side, in pixels, of the pictures that strengths are tried on."""

TRIALS = 6
"""Halvings of the interval after the trial at full strength: alpha is exact to 1/64."""

LEVELS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Strength:
    """A strength and what it does, as measured on a reduced picture.

    Attributes:
        alpha: In [0, 1].
        share: Share of the way that it covers: 0 for the photograph, 1 for the painting's
            statistics.
        wanted: The share that was asked for, which even the full strength may not reach.
    """

    alpha: float
    share: float
    wanted: float

    def __str__(self) -> str:
        text = f"alpha {self.alpha:.2f} covers {self.share:.0%} of the way to the style"
        return text if self.alpha < 1 else f"{text}, of {self.wanted:.0%} wanted"


def find_strength(
    stylizer: Stylizer,
    content: Picture,
    styles: Sequence[Picture | EncodedStyle],
    options: StylizeOptions,
) -> Strength:
    """Search the strength by a few passes on a reduced picture.

    The way is measured as style distance (:func:`~datnet.objectives.terms.global_style` at
    relu1_1 … relu5_1, for mixtures the weighted sum over the paintings): a result covers
    ``1 - distance(result) / distance(photograph)``. The mask is ignored.

    Args:
        stylizer: The network. If it has no VGG, that of the metrics is loaded.
        content: The photograph.
        styles: The paintings.
        options: The settings, with ``alpha`` "auto" or "auto:SHARE".

    Returns:
        The strength; the full one if that covers less than the wanted share.

    Raises:
        DatNetError: If a picture cannot be read, or the encoder's weights cannot be found.
    """
    wanted = options.wanted_share
    assert wanted is not None
    photograph = visible(open_picture(content, "content", options.size)[0])
    own_side = options.size or min(photograph.size)
    side = min(SIDE, own_side)
    photograph = resize_short_side(photograph, side)
    encoded = [
        each
        if isinstance(each, EncodedStyle)
        else stylizer.encode_style(each, options.style_size, content_side=own_side)
        for each in styles
    ]
    reduced = [
        stylizer.encode_style(
            each.picture, max(SMALLEST_SIDE, round(min(each.picture.size) * side / own_side))
        )
        for each in encoded
    ]
    small = replace(options, size=None, style_size=None, mask=None, regions=None, tileable=False)
    encoder = stylizer.encoder
    targets = [_features(encoder, each.picture) for each in reduced]
    shares = options.shares(len(reduced))

    def distance(picture: Image.Image) -> float:
        features = _features(encoder, picture)
        return sum(
            share * global_style(features, target, LEVELS).item()
            for share, target in zip(shares, targets, strict=True)
        )

    whole_way = distance(photograph)

    def covered(alpha: float) -> float:
        result = stylizer.stylize(photograph, reduced, replace(small, alpha=alpha))
        return 1 - distance(result) / whole_way if whole_way else 1.0

    alpha, share = 1.0, covered(1.0)
    if share <= wanted:
        return Strength(alpha, share, wanted)
    low, high = 0.0, 1.0
    for _ in range(TRIALS):
        middle = (low + high) / 2
        there = covered(middle)
        if abs(there - wanted) <= abs(share - wanted):
            alpha, share = middle, there
        low, high = (middle, high) if there < wanted else (low, middle)
    return Strength(alpha, share, wanted)


@torch.inference_mode()
def _features(encoder: VggEncoder, picture: Image.Image) -> list[Tensor]:
    device = next(encoder.parameters()).device
    return encoder(to_tensor(picture)[None].to(device))
