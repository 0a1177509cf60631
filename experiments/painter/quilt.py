"""Patchwork quilt: traditional blocks pieced from printed cottons, with seams and stitches."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from experiments.painter.color import FloatArray, choose_palette, mix, smoothstep, to_image
from experiments.painter.noise import fractal_noise, smooth_noise
from experiments.painter.surface import SCALE, boundaries, canvas_weave, pixel_grid, relief_light

PALETTES = (
    "f1e7d3 b23a48 2f4858 e0a458 6f8f72 7a3b2e d9c5a0",
    "f4efe6 2f4b7c a05195 f28f6b 5b8a72 1f2f4f e8c872",
    "efe2c6 7b2d26 c9772f 3f5f4f 1d3a4a b89b5e 8f4f5f",
    "e9edea 3a6073 c2504a e6b655 7fa99b 4a3f5f d9b8a4",
    "2b2d42 d9d2c0 b5473c 5f8a8b e0a84b 8a5a6f 3f4f6f",
)


def quilt(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Sews blocks of four by four patches; every cloth has its own print."""
    colors = choose_palette(rng, PALETTES)
    wide, high = width * SCALE, height * SCALE
    size = min(wide, high)
    x, y = pixel_grid(wide, high)
    sag_x, sag_y = (size * 0.012 * (smooth_noise(rng, wide, high, size / 5) - 0.5) for _ in "xy")
    blocks = int(rng.integers(3, 6))
    u, v = (x + sag_x) / size * blocks, (y + sag_y) / size * blocks
    block = np.floor(u).astype(int) + 16 * np.floor(v).astype(int)
    inner_x, inner_y = u % 1, v % 1
    designs = (_star, _pinwheel, _log_cabin, _geese, _nine_patch, _diamond)
    chosen = rng.choice(len(designs), 2, replace=False)
    checkered = (np.floor(u) + np.floor(v)).astype(int) % 2
    patch = np.where(
        checkered, designs[chosen[0]](inner_x, inner_y), designs[chosen[1]](inner_x, inner_y)
    )

    # a cloth for every (kind of block, patch number), and some blocks that broke the rule
    cloths = 14
    table = rng.integers(0, cloths, (2, 16))
    swap = rng.integers(0, cloths, 512) * (rng.random(512) < 0.2)
    cloth = (table[checkered, patch % 16] + swap[block % 512]) % cloths
    fabric = np.zeros((high, wide, 3), np.float32)
    x, y = np.broadcast_arrays(x, y)
    for number in range(cloths):
        base, figure = rng.choice(len(colors), 2, replace=False)
        here = cloth == number
        share = _print(rng, x[here], y[here], size)
        fabric[here] = mix(colors[base], colors[figure], share)

    _, piece = np.unique(block * 64 + patch, return_inverse=True)
    piece = piece.reshape(high, wide)
    depth = ndimage.distance_transform_edt(~boundaries(piece)) / size
    puff = smoothstep(0, 0.02, depth) + 0.35 * fractal_noise(rng, wide, high, size / 22)
    worn = 0.86 + 0.2 * fractal_noise(rng, wide, high, size / 5)
    light = relief_light(puff * size * 0.006, 0.55, softness=1.0)
    sheet = fabric * (worn * light * (0.72 + 0.28 * smoothstep(0, 0.006, depth)))[..., None]
    dashes = ((x + y) / size * 58) % 1 < 0.55
    stitch = (np.abs(depth - 0.0115) < 0.0016) & dashes
    sheet = mix(sheet, np.array([0.97, 0.95, 0.9]), 0.85 * stitch)
    sewn = np.asarray(to_image(sheet).reduce(SCALE), dtype=np.float32) / 255
    weave = canvas_weave(rng, width, height, max(1.8, size / 440))
    return to_image(sewn * relief_light(weave, 0.3)[..., None])


def _print(rng: np.random.Generator, x: FloatArray, y: FloatArray, size: int) -> FloatArray:
    """Share of the second color in a printed cotton: plain, dots, stripes, checks, sprigs."""
    pitch = size * rng.uniform(0.012, 0.026)
    lean = rng.choice([0, np.pi / 4, np.pi / 2])
    u = (x * np.cos(lean) + y * np.sin(lean)) / pitch
    v = (y * np.cos(lean) - x * np.sin(lean)) / pitch
    kind = rng.integers(6)
    cell_x, cell_y = u % 1 - 0.5, (v + 0.5 * (np.floor(u) % 2)) % 1 - 0.5
    reach = np.hypot(cell_x, cell_y)
    if kind == 0:
        return 0.12 * np.ones_like(reach)
    if kind == 1:
        return smoothstep(0.3, 0.22, reach)
    if kind == 2:
        return smoothstep(0.3, 0.22, np.abs(u % 1 - 0.5)) + 0 * v
    if kind == 3:
        return 0.5 * (u % 1 < 0.5) + 0.5 * (v % 1 < 0.5)
    if kind == 4:
        petals = 0.27 + 0.16 * np.cos(5 * np.arctan2(cell_y, cell_x))
        return smoothstep(0.05, -0.02, reach - petals) * (reach > 0.1)
    return smoothstep(0.16, 0.08, np.abs(cell_y - 0.22 * np.sin(2 * np.pi * u)))


def _star(x: FloatArray, y: FloatArray) -> np.ndarray:
    u, v = np.abs(x - 0.5) * 4, np.abs(y - 0.5) * 4
    long, short = np.maximum(u, v), np.minimum(u, v)
    point = (long > 1) & (short < 1) & (short > (2 - long))
    return np.select([long < 1, point, short >= 1], [0, 1 + (u > v), 3], 4)


def _pinwheel(x: FloatArray, y: FloatArray) -> np.ndarray:
    quarter = (x > 0.5) * 1 + (y > 0.5) * 2
    u, v = x * 2 % 1, y * 2 % 1
    rising = np.where((quarter == 0) | (quarter == 3), u > v, u + v > 1)
    flip = (quarter == 1) | (quarter == 0)
    return np.where(rising == flip, 0, 1) + 2 * ((quarter == 0) | (quarter == 3))


def _log_cabin(x: FloatArray, y: FloatArray) -> np.ndarray:
    u, v = x - 0.5, y - 0.5
    ring = np.floor(np.maximum(np.abs(u), np.abs(v)) * 9).astype(int)
    side = np.select(
        [(v < 0) & (np.abs(v) >= np.abs(u)), (u > 0) & (u >= np.abs(v)), v >= np.abs(u)],
        [0, 1, 2],
        3,
    )
    return np.where(ring == 0, 0, 1 + (ring % 3) * 4 + side)


def _geese(x: FloatArray, y: FloatArray) -> np.ndarray:
    row = np.floor(y * 4).astype(int)
    fly = y * 4 % 1
    column = np.abs(x * 2 % 1 - 0.5) * 2
    return np.where(column < fly, row % 2 + 2 * (x > 0.5), 5 + row % 2)


def _nine_patch(x: FloatArray, y: FloatArray) -> np.ndarray:
    column, row = np.floor(x * 3).astype(int), np.floor(y * 3).astype(int)
    return np.where((column + row) % 2 == 0, np.where((column == 1) & (row == 1), 2, 0), 1)


def _diamond(x: FloatArray, y: FloatArray) -> np.ndarray:
    reach = np.abs(x - 0.5) + np.abs(y - 0.5)
    corner = (x > 0.5) * 1 + (y > 0.5) * 2
    return np.select(
        [reach < 0.18, reach < 0.34, reach < 0.5], [0, 1, 2 + (x > 0.5)], 4 + corner % 2
    )
