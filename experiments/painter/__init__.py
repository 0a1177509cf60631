"""Procedurally generated paintings: style images that need no download.

Each manner of painting is a function of a random generator, a width and a height that returns an
8-bit RGB image. The generator decides composition and palette: the same state gives the same
picture. The manners imitate schools, not works, and all their marks are drawn here, so the pictures
carry no one's rights. Sizes from 32 pixels up work, and marks scale with the shorter side.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from experiments.painter.colour_field import colour_field
from experiments.painter.cubism import cubism
from experiments.painter.cut_outs import cut_outs
from experiments.painter.drip_painting import drip_painting
from experiments.painter.engraving import engraving
from experiments.painter.fauvism import fauvism
from experiments.painter.geometric import geometric
from experiments.painter.impressionism import impressionism
from experiments.painter.ink_wash import ink_wash
from experiments.painter.marbling import marbling
from experiments.painter.mosaic import mosaic
from experiments.painter.night_sky import night_sky
from experiments.painter.pointillism import pointillism
from experiments.painter.quilt import quilt
from experiments.painter.stained_glass import stained_glass
from experiments.painter.watercolour import watercolour
from experiments.painter.woodcut import woodcut

Manner = Callable[[np.random.Generator, int, int], Image.Image]

MANNERS: tuple[Manner, ...] = (
    impressionism,
    pointillism,
    night_sky,
    fauvism,
    watercolour,
    ink_wash,
    woodcut,
    engraving,
    mosaic,
    stained_glass,
    cubism,
    colour_field,
    drip_painting,
    geometric,
    cut_outs,
    quilt,
    marbling,
)

__all__ = [
    "MANNERS",
    "Manner",
    "colour_field",
    "cubism",
    "cut_outs",
    "drip_painting",
    "engraving",
    "fauvism",
    "geometric",
    "impressionism",
    "ink_wash",
    "marbling",
    "mosaic",
    "night_sky",
    "pointillism",
    "quilt",
    "stained_glass",
    "watercolour",
    "woodcut",
]
