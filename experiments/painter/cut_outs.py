"""Paper cut-outs: leaves and seaweed cut from gouache-painted sheets, pasted on blocks."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from experiments.painter.color import FloatArray, choose_palette, to_image
from experiments.painter.noise import fractal_noise, smooth_noise
from experiments.painter.surface import SCALE, blob, polygon_mask

PALETTES = (
    "f3ead6 1f5fa8 e4572e f2c14e 2f8f5b d94f8a 14213d",
    "f6efe0 0f7f8f f28f3b c8323c 7fb069 5a3f8f f2d06b",
    "efe6d2 d7263d 1b3a8f f4a6b8 f2b134 2f7f4f 161616",
    "f4eede 5f4fa0 f26b4e 8fc1b5 e8c547 c2305f 1f4f5f",
)


def cut_outs(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Pastes a ground of rectangles, a cut-out in each, and smaller pieces over the joints."""
    colors = choose_palette(rng, PALETTES)
    wide, high = width * SCALE, height * SCALE
    size = min(wide, high)
    columns, rows = int(rng.integers(2, 4)), int(rng.integers(2, 5))
    sheet = np.ones((high, wide, 3)) * colors[0]
    cuts_x = np.linspace(0, 1, columns + 1) + np.pad(rng.uniform(-0.08, 0.08, columns - 1), 1)
    cuts_y = np.linspace(0, 1, rows + 1) + np.pad(rng.uniform(-0.05, 0.05, rows - 1), 1)
    pieces: list[tuple[FloatArray, FloatArray]] = []
    last = -1
    for row in range(rows):
        for column in range(columns):
            left, right = cuts_x[column] * wide, cuts_x[column + 1] * wide
            top, bottom = cuts_y[row] * high, cuts_y[row + 1] * high
            ground, figure = rng.choice(
                [c for c in range(len(colors)) if c != last], 2, replace=False
            )
            last = ground
            corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
            _paste(rng, sheet, corners + rng.normal(0, 0.004, (4, 2)) * size, colors[ground])
            middle, reach = corners.mean(axis=0), 0.5 * np.array([right - left, bottom - top])
            if rng.random() < 0.4:
                pieces.append((_shape(rng, middle, reach * 0.95), colors[figure]))
                figure = rng.choice([c for c in range(len(colors)) if c != figure])
                pieces.append((_shape(rng, middle, reach * 0.6), colors[figure]))
            else:
                pieces.append((_shape(rng, middle, reach * rng.uniform(0.75, 1.0)), colors[figure]))
    for _ in range(rng.integers(6, 16)):
        middle = rng.uniform(0.04, 0.96, 2) * (wide, high)
        reach = size * rng.uniform(0.03, 0.09) * np.ones(2)
        pieces.append((_shape(rng, middle, reach), colors[rng.integers(len(colors))]))
    for outline, tint in pieces:
        _paste(rng, sheet, outline, tint)
    return to_image(sheet).reduce(SCALE)


def _shape(rng: np.random.Generator, middle: FloatArray, reach: FloatArray) -> FloatArray:
    """Outline of a frond, a palmate leaf, a star, a wave or a pebble."""
    turn = np.linspace(0, 2 * np.pi, 220, endpoint=False)
    kind = rng.integers(5)
    lean = rng.uniform(0, 2 * np.pi)
    if kind == 0:  # frond: rounded fingers on both sides of a stem
        lobes = int(rng.integers(4, 7))
        along = np.concatenate([np.linspace(-1, 1, 110), np.linspace(1, -1, 110)])
        side = np.repeat([1, -1], 110)
        fingers = np.abs(np.sin(np.pi * lobes * (along + 1) / 2)) ** 0.6
        girth = 0.07 + 0.75 * fingers * np.sqrt(np.clip(1 - along**2, 0, 1))
        shape = np.stack(
            [along + 0.45 * girth, side * girth + 0.15 * np.sin(2.5 * along + lean)], 1
        )
    elif kind == 1:  # palmate leaf
        lobes = int(rng.integers(5, 9))
        radius = 0.42 + 0.55 * np.abs(np.cos(lobes * turn / 2)) ** 0.8
        shape = np.stack([np.cos(turn), np.sin(turn)], 1) * radius[:, None]
    elif kind == 2:  # star
        points = int(rng.integers(4, 8))
        radius = 0.38 + 0.6 * (1 - np.abs((turn * points / (2 * np.pi)) % 1 - 0.5) * 2) ** 1.4
        shape = np.stack([np.cos(turn), np.sin(turn)], 1) * radius[:, None]
    elif kind == 3:  # wave: a band that swings
        along = np.concatenate([np.linspace(-1, 1, 110), np.linspace(1, -1, 110)])
        side = np.repeat([1, -1], 110)
        swing = 0.45 * np.sin(along * rng.uniform(2.5, 4.5) + lean)
        shape = np.stack([along, swing + side * 0.22 * (1.15 - np.abs(along) ** 3)], 1)
    else:
        shape = blob(rng, 0, 0, 0.8, 0.35, corners=120)
    cosine, sine = np.cos(lean), np.sin(lean)
    turned = shape @ np.array([[cosine, sine], [-sine, cosine]])
    snips = turned + rng.normal(0, 0.006, turned.shape)
    return middle + snips * reach


def _paste(
    rng: np.random.Generator, sheet: FloatArray, outline: FloatArray, tint: FloatArray
) -> None:
    """Pastes a piece of brushed paper with the thin shadow of its lower edge."""
    high, wide, _ = sheet.shape
    size = min(wide, high)
    drop = size * 0.0035
    margin = int(4 * drop) + 2
    left, top = np.clip(outline.min(axis=0).astype(int) - margin, 0, (wide, high))
    right, bottom = np.clip(outline.max(axis=0).astype(int) + margin, 0, (wide, high))
    across, down = int(right - left), int(bottom - top)
    if across < 2 or down < 2:
        return
    mask = polygon_mask(outline - (left, top), across, down)[..., None]
    shadow = polygon_mask(outline - (left, top) + drop, across, down)
    shadow = ndimage.gaussian_filter(shadow, drop)[..., None]
    streaks = fractal_noise(rng, across, down, size / 70, rng.choice([0.09, 11.0]), octaves=3)
    pools = smooth_noise(rng, across, down, size / 9)
    paint = tint * (0.8 + 0.26 * streaks + 0.14 * pools)[..., None]
    paint = paint + 0.05 * (streaks[..., None] > 0.72)
    at = np.s_[top:bottom, left:right]
    sheet[at] = sheet[at] * (1 - 0.4 * shadow) * (1 - mask) + paint * mask
