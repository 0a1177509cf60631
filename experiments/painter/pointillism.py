"""Pointillism: divided color, laid down as separate dots that mix in the eye."""

from __future__ import annotations

import numpy as np
from PIL import Image

from experiments.painter.brush import OilCanvas, sample, scatter
from experiments.painter.color import choose_palette, mix, saturate, turn_hue, vary
from experiments.painter.outdoors import landscape, seascape

# high sky, low sky, far hills, middle hills, ground, trees, light, accent
PALETTES = (
    "6fa8dc ffe0b0 8f8ec8 4fa39a d9c25a 2f6b3f fff4c8 e8503a",
    "5b7fc7 f7b6a0 9a6fb0 4c8fb5 e0a63e 2e4f8a ffe6a0 f04f6a",
    "a0c4e8 fdf0c0 b0a0d0 7cc08a e6d56a 3a7a4a fffbe0 f28f3b",
    "7d8fd0 ffc48a b07fae 5aa6a6 c98f4e 4a3f7a ffe9b8 d83f5f",
)


def pointillism(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Dots a sea or a landscape: local color, its neighbours in hue, and some complements."""
    colors = choose_palette(rng, PALETTES)
    unit = min(width, height) / 100
    scene = (seascape if rng.random() < 0.5 else landscape)(rng, width, height, colors)
    canvas = OilCanvas(mix(saturate(scene.color, 0.6), np.array([0.96, 0.93, 0.84]), 0.55))
    for radius, cover in ((0.85, 1.5), (0.75, 1.35), (0.62, 1.5)):
        x, y = scatter(rng, width, height, 1.25 * cover * radius * unit)
        local = saturate(sample(scene.color, x, y), 1.35)
        tints = vary(rng, local, hue=26, lightness=0.07)
        complement = rng.random(x.size) < 0.13
        tints[complement] = mix(turn_hue(local[complement], 180.0), local[complement], 0.25)
        pale = rng.random(x.size) < 0.1
        tints[pale] = mix(tints[pale], colors[6], 0.7)
        canvas.dots(rng, x, y, radius * unit, tints)
    return canvas.picture(relief=0.8)
