"""Fauvism: a bouquet or a head in broad flat strokes of loud color, with painted contours."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from experiments.painter.bouquet import bouquet
from experiments.painter.brush import OilCanvas, follow, sample, scatter
from experiments.painter.color import choose_palette, mix, saturate, vary
from experiments.painter.noise import smooth_noise
from experiments.painter.portrait import portrait
from experiments.painter.surface import boundaries

# wall, pattern of the wall, table, vase, leaves, dark, flowers
BOUQUETS = (
    "2a9d8f e9c46a e76f51 264653 3a7d44 1d2d50 f94144 f9c74f f3a6c8 f8f4e3",
    "e63946 f4a261 1d6fa5 f1faee 2a7f62 2b1a4a ffd23f ee6c9a ff8c42 fff3d6",
    "f2b134 ed553b 4f9d69 3c3c8c 20639b 1a1a40 d7263d f46197 fcefb4 ff7f11",
    "7b4fa3 e78ac3 f2c14e 1b998b 2d7d46 16213e ff4d6d ffb703 fb8500 f1e9da",
)
# background, its second color, lit skin, shaded skin, hair, dark, clothes, their second, lips
PORTRAITS = (
    "2a9d8f 8ecf6a f7c59f 7fb069 b23a48 1d2d50 e76f51 f2c14e d7263d",
    "f4a6c0 f9d65c ffd9a0 5fa8a0 1f3a93 241b4b 2f8f5b ef5b5b c1121f",
    "4f6fc4 9ad0c2 f9d5a7 e2725b 7a3b12 14213d f2b134 d7263d b5179e",
    "e9724c ffc857 f6d8ae 6a8fd0 255f38 281c50 481d6f 3fa7d6 e63946",
)


def fauvism(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Paints broad strokes on bare canvas, then dark lines around the things."""
    if rng.random() < 0.5:
        colors = choose_palette(rng, BOUQUETS)
        scene = bouquet(rng, width, height, colors)
    else:
        colors = choose_palette(rng, PORTRAITS)
        scene = portrait(rng, width, height, colors)
    unit = min(width, height) / 100
    bare = np.broadcast_to(np.array([0.93, 0.88, 0.77]), scene.color.shape)
    canvas = OilCanvas(mix(bare, scene.color, 0.3))
    busy = _edges(scene.region, 2.0 * unit)
    for brush, length, cover in ((6.5, 14, 1.5), (3.6, 8, 1.3), (1.2, 2.0, 1.1)):
        size = brush * unit
        x, y = scatter(rng, width, height, cover * size)
        if brush < 2:  # the fine brush works only where things are small
            keep = sample(busy, x, y) > 0.12 * busy.max()
            x, y = x[keep], y[keep]
        tints = vary(rng, saturate(sample(scene.color, x, y), 1.15), hue=7, lightness=0.035)
        loud = rng.random(x.size) < 0.012 * brush
        tints[loud] = mix(tints[loud], colors[rng.integers(len(colors), size=loud.sum())], 0.6)
        paths = follow(scene.angle, x, y, length * unit, steps=6)
        canvas.stroke(rng, paths, size, tints, bristles=9, unevenness=0.025)

    contour = _edges(scene.region, 0.8 * unit)
    x, y = scatter(rng, width, height, 0.45 * unit)
    broken = sample(smooth_noise(rng, width, height, 9 * unit), x, y) > 0.3
    crowded = sample(_edges(scene.region, 3 * unit), x, y) > 0.75  # eyes, mouths
    on_line = (sample(contour, x, y) > 0.32) & broken & ~crowded
    x, y = x[on_line], y[on_line]
    ink = vary(rng, np.broadcast_to(colors[5], (x.size, 3)), hue=10, lightness=0.03)
    canvas.dots(rng, x, y, 0.42 * unit, ink)
    return canvas.picture(relief=1.0)


def _edges(region: np.ndarray, softness: float) -> np.ndarray:
    """Nearness to contours: about 0.4 at a lone one, more where they crowd."""
    return ndimage.gaussian_filter(boundaries(region).astype(np.float32), softness) * softness
