"""Flowers in a vase."""

from __future__ import annotations

import numpy as np

from experiments.painter.color import WHITE, FloatArray, mix, smoothstep
from experiments.painter.noise import fractal_noise, smooth_noise
from experiments.painter.scene import Scene
from experiments.painter.surface import pixel_grid, polygon_mask


def bouquet(rng: np.random.Generator, width: int, height: int, colors: FloatArray) -> Scene:
    """Flowers in a vase on a table.

    Args:
        rng: Source of the composition.
        width: Columns.
        height: Rows.
        colors: `(6 or more, 3)`: wall, pattern of the wall, table, vase, leaves, dark, and then
            the flowers.
    """
    wall, pattern, table, vase, leaf, dark = colors[:6]
    petals = colors[6:]
    x, y = pixel_grid(width, height)
    size = min(width, height)
    patches = fractal_noise(rng, width, height, size / 4)
    backdrop = mix(wall, pattern, 0.6 * smoothstep(0.45, 0.7, patches))
    upright = np.pi / 2 + 1.4 * (smooth_noise(rng, width, height, size / 4) - 0.5)
    scene = Scene(backdrop, upright, np.zeros((height, width), int))

    edge = height * rng.uniform(0.68, 0.8) + (x - width / 2) * rng.uniform(-0.1, 0.1)
    shade = fractal_noise(rng, width, height, size / 6, 4)
    cloth = mix(table, mix(table, pattern, 0.5), smoothstep(0.4, 0.6, shade))
    scene.put(y > edge, cloth, 0.2 * (shade - 0.5))

    middle, foot, tall = (
        width * rng.uniform(0.42, 0.58),
        height * 0.92,
        size * rng.uniform(0.3, 0.4),
    )
    turn = np.linspace(0, 1, 24)
    girth = size * (0.1 + 0.07 * np.sin(np.pi * turn ** rng.uniform(0.6, 1.6)))
    outline = np.concatenate(
        [
            np.stack([middle - girth, foot - tall * turn], axis=1),
            np.stack([middle + girth, foot - tall * turn], axis=1)[::-1],
        ]
    )
    body = polygon_mask(outline, width, height)
    scene.put(
        polygon_mask(outline + size * 0.05, width, height) * (y > edge), mix(table, dark, 0.6), 0
    )
    side = (x - middle) / (size * 0.17)
    glaze = mix(
        mix(vase, dark, 0.55 * smoothstep(-0.1, 1, side)), WHITE, 0.5 * (np.abs(side + 0.45) < 0.1)
    )
    bands = np.abs(((foot - y) / tall * rng.integers(2, 5)) % 1 - 0.5) < 0.1
    scene.put(body, mix(glaze, petals[0], 0.8 * bands), np.arcsin(np.clip(side, -1, 1)) + np.pi / 2)

    crown = foot - tall - size * 0.14
    for _ in range(34):
        way = rng.uniform(0, 2 * np.pi)
        reach = size * 0.3 * np.sqrt(rng.random())
        base_x, base_y = middle + 1.15 * reach * np.cos(way), crown + reach * np.sin(way)
        axis, long = way + rng.normal(0, 0.5), size * rng.uniform(0.06, 0.13)
        at, near_x, near_y = scene.window(base_x, base_y, long)
        along = (near_x - base_x) * np.cos(axis) + (near_y - base_y) * np.sin(axis)
        aside = (near_y - base_y) * np.cos(axis) - (near_x - base_x) * np.sin(axis)
        inside = (along / long) ** 2 + (aside / (0.34 * long)) ** 2 < 1
        tint = mix(mix(leaf, dark, rng.uniform(0, 0.6)), WHITE, 0.12 * (aside > 0))
        scene.put(inside, tint, axis, at)
    for _ in range(rng.integers(9, 16)):
        way, reach = rng.uniform(0, 2 * np.pi), size * 0.27 * np.sqrt(rng.random())
        center_x, center_y = middle + 1.2 * reach * np.cos(way), crown + 0.9 * reach * np.sin(way)
        _flower(rng, scene, center_x, center_y, size * rng.uniform(0.05, 0.095), petals, dark)
    return scene


def _flower(
    rng: np.random.Generator,
    scene: Scene,
    x: float,
    y: float,
    radius: float,
    petals: FloatArray,
    dark: FloatArray,
) -> None:
    at, columns, rows = scene.window(x, y, 1.2 * radius)
    distance = np.hypot(columns - x, rows - y) / radius
    turn = np.arctan2(rows - y, columns - x)
    tint = petals[rng.integers(len(petals))]
    lobes = int(rng.integers(5, 9))
    edge = 0.85 + 0.2 * np.abs(np.cos(turn * lobes / 2 + rng.uniform(0, 6)))
    color = mix(tint, tint * 0.55, smoothstep(0.75, 0.2, distance))
    color = mix(color, WHITE, 0.3 * smoothstep(0.65, 0.9, distance))
    scene.put(distance < edge, color, turn, at)
    scene.put(distance < 0.26, mix(dark, petals[rng.integers(len(petals))], 0.5), turn, at)
