"""Marbled paper: drops of color on a bath, drawn into feathers by combs and a stylus."""

from __future__ import annotations

import numpy as np
from PIL import Image

from experiments.painter.color import FloatArray, choose_palette, to_image
from experiments.painter.noise import fractal_noise, smooth_noise
from experiments.painter.surface import SCALE, paper_grain, pixel_grid

PALETTES = (
    "1f2f5f f2e6cf c8553d e3b23c 3f7f8f 14182f",
    "5a1220 f0dfc0 d98f2f 2f4f3f 8f2f3f e6c27a",
    "f3ead8 2f6f7f e08a6a 17324f d9c27a 8fb0a8",
    "2a1f3d c9a0b8 f2e2d0 6f4f8f e0a04f 3f5f7f",
    "10312b e9dcb8 6f9f6f c9a03f 1f5f4f a83f2f",
)


def marbling(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Looks up every pixel in the undisturbed bath by undoing the combs' strokes in turn.

    The displacement by a tine is that of A. Jaffer and A. Lu, "Mathematical Marbling" (2012).
    """
    colors = choose_palette(rng, PALETTES)
    wide, high = width * SCALE, height * SCALE
    size = min(wide, high)
    x, y = (axis / size for axis in pixel_grid(wide, high))
    x, y = np.broadcast_arrays(x, y)
    x, y = x + 0.012 * (smooth_noise(rng, wide, high, size / 10) - 0.5), y

    for _ in range(rng.integers(1, 5)):  # whirls drawn with a stylus
        center_x, center_y = rng.uniform(0, wide / size), rng.uniform(0, high / size)
        reach, turns = rng.uniform(0.06, 0.16), rng.choice([-1, 1]) * rng.uniform(2, 5)
        u, v = x - center_x, y - center_y
        turn = turns * np.exp(-np.hypot(u, v) / reach)
        cosine, sine = np.cos(turn), np.sin(turn)
        x, y = center_x + u * cosine - v * sine, center_y + u * sine + v * cosine
    combs = int(rng.integers(1, 4))
    for comb in range(combs):
        pitch = rng.choice([0.05, 0.075, 0.11]) if comb == 0 else rng.choice([0.15, 0.22])
        pull = rng.uniform(0.12, 0.3)
        across, along = (x, y) if comb % 2 == 0 else (y, x)
        weave = 0.25 * pitch * np.sin(along * rng.uniform(4, 14)) * rng.choice([0, 1])
        away = np.abs((across + weave) / pitch % 1 - 0.5) * pitch  # to the nearest tine
        way = 1 if rng.random() < 0.5 else np.sign(((across + weave) / pitch / 2) % 1 - 0.5)
        along = along + way * pull * 0.02 / (0.02 + away)
        x, y = (across, along) if comb % 2 == 0 else (along, across)

    picture = _bath(rng, x, y, colors, size)
    vein = 0.95 + 0.1 * fractal_noise(rng, wide, high, size / 8)
    grain = paper_grain(rng, wide, high)
    return to_image(picture * (vein * grain)[..., None]).reduce(SCALE)


def _bath(
    rng: np.random.Generator, x: FloatArray, y: FloatArray, colors: FloatArray, size: int
) -> FloatArray:
    """Color of the bath before combing, at any place: stones or bands of unequal width."""
    order = rng.permutation(len(colors))
    side = min(size, 512)
    if rng.random() < 0.5:
        levels = np.sort(rng.uniform(0, 1, 22))
        field = (np.arange(side) / side)[:, None] + 0.18 * fractal_noise(rng, side, side, side / 5)
        bands = np.searchsorted(levels, field % 1)
    else:
        bands = np.zeros((side, side), int)
        grid_x, grid_y = pixel_grid(side, side)
        for number in range(240):
            center, reach = rng.uniform(0, side, 2), side * rng.uniform(0.015, 0.075)
            off_x = np.abs(grid_x - center[0])
            off_y = np.abs(grid_y - center[1])
            away = np.hypot(np.minimum(off_x, side - off_x), np.minimum(off_y, side - off_y))
            bands[away < reach] = number
            bands[(away < 0.55 * reach)] = number + 1
    tints = colors[order[bands % len(order)]]
    tints = np.pad(tints, ((0, 1), (0, 1), (0, 0)), mode="wrap")
    tile = (
        np.asarray(to_image(tints).resize((side * 2, side * 2), Image.Resampling.LANCZOS)) / 255.0
    )
    rows, columns = (
        (y % 1 * 2 * side).astype(int) % (2 * side),
        (x % 1 * 2 * side).astype(int) % (2 * side),
    )
    return tile[rows, columns]
