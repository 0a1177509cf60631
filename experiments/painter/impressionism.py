"""Impressionism: an outdoor scene in short layered touches of broken color."""

from __future__ import annotations

import numpy as np
from PIL import Image

from experiments.painter.brush import OilCanvas, follow, sample, scatter
from experiments.painter.color import choose_palette, mix, saturate, vary
from experiments.painter.outdoors import landscape, seascape

# high sky, low sky, far hills, middle hills, ground, trees, light, accent
PALETTES = (
    "7fa6cf e3d9d0 8d9ec4 7d9f86 9aa653 2f5a4c fff1d2 d8546b",
    "5d86c2 f3c9a8 8a80b0 6a8fa0 b8a05a 3a4a6b ffe9c4 e8743b",
    "9cc3d9 f5e6c0 a7b9c9 86b08a c9c06a 3f6b45 fff8e6 c75b9b",
    "8a93b8 f0b98d 7a6f99 6d7f8c 8c7a5e 353a5c ffd9a0 e2583e",
    "a9c7c7 eef0d8 93b3ad 6fa084 7fae5a 24594f fbffe8 e6a4b4",
)


def impressionism(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Paints a landscape or a sea with three sizes of brush, from broad to fine."""
    colors = choose_palette(rng, PALETTES)
    unit = min(width, height) / 100
    subject = seascape if rng.random() < 0.4 else landscape
    scene = subject(rng, width, height, colors)
    canvas = OilCanvas(mix(scene.color, colors[4], 0.5))
    for brush, cover in ((4.6, 1.6), (2.4, 1.35), (1.3, 1.3)):
        size = brush * unit
        x, y = scatter(rng, width, height, cover * size)
        tints = vary(rng, saturate(sample(scene.color, x, y), 1.3), hue=14, lightness=0.045)
        touched = rng.random(x.size) < 0.16
        tints[touched] = mix(
            tints[touched], colors[rng.integers(len(colors), size=touched.sum())], 0.5
        )
        angle = scene.angle + rng.normal(0, 0.2)
        paths = follow(angle, x, y, 2.3 * size, steps=4)
        canvas.stroke(rng, paths, size, tints, bristles=5)
    return canvas.picture(relief=0.9)
