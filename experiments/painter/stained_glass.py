"""Stained glass: streaky panes that glow between leads, as a rose window or a picture."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from experiments.painter.bouquet import bouquet
from experiments.painter.color import (
    WHITE,
    FloatArray,
    choose_palette,
    mix,
    saturate,
    smoothstep,
    to_image,
    vary,
)
from experiments.painter.noise import fractal_noise, smooth_noise
from experiments.painter.outdoors import landscape, seascape
from experiments.painter.surface import SCALE, boundaries, pixel_grid, relief_light

# deep, second deep, bright, warm, pale, accent
ROSES = (
    "12277a 1f5fbf c4122f f2b705 e8e3c0 2f9e5b",
    "3b1c71 8a2fb0 0f9bb3 f27d16 f6e7b4 d81e5b",
    "0b4f4a 1f8f6b e0431f f6c445 f3ecd0 2a4fb0",
    "5a0f1f b3202f 174a9c e8a317 f2dfc4 4f9a4a",
)
# high sky, low sky, far hills, middle hills, ground, trees, light, accent
SCENES = (
    "1f5fbf 8fd0f0 5a3fa0 1f8f6b d9a520 0f5f3a fff0b0 d81e3b",
    "3b2f91 f27d3a 8a2f80 2a6fb0 a8b820 164a4a ffe08a f24b6a",
    "0f7fa0 f6d365 3f5fb0 2fa06a c9702a 1a4f2a fff6cf e8431f",
)
# wall, its pattern, table, vase, leaves, dark, flowers
FLOWERS = (
    "1a3f9c 2f7fd0 8a4a1f c4122f 2f9e4b 0f2f3a f2b705 f6e7d0 d81e5b f27d16",
    "0f6f7a 3fb0a0 5a2f8a e8a317 4faa3a 123a2a e0431f fbe9c0 b02fa0 f6c445",
)


def stained_glass(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Leads a rose window, a landscape or a bouquet."""
    wide, high = width * SCALE, height * SCALE
    size = min(wide, high)
    if rng.random() < 0.5:
        panes, color = _rose(rng, wide, high)
    else:
        panes, color = _picture(rng, width, height)

    depth = ndimage.distance_transform_edt(~boundaries(panes)).astype(np.float32) / size
    x, y = pixel_grid(wide, high)
    streaks = fractal_noise(rng, wide, high, size / 16, 3.5, octaves=4)
    shift = rng.permutation(97)[panes % 97] / 97  # streaks run on differently in every pane
    streaks = np.abs((streaks * 2.2 + shift) % 2 - 1)
    day = 1.0 - 0.5 * np.hypot(x / wide - 0.5, y / high - 0.42)
    day = day + 0.25 * smooth_noise(rng, wide, high, size / 3)
    glow = 0.72 + 0.28 * smoothstep(0.0, 0.025, depth)
    glass = color * (0.62 + 0.55 * streaks)[..., None]
    glass = mix(glass, WHITE, 0.16 * smoothstep(0.6, 1.0, streaks)) * (day * glow)[..., None]
    bubbles = smooth_noise(rng, wide, high, size / 190)
    glass = mix(glass, WHITE, 0.3 * (bubbles > 0.93))
    dirt = smoothstep(0.62, 0.8, smooth_noise(rng, wide, high, size / 40)) * (depth < 0.012)
    glass = glass * (1 - 0.5 * dirt[..., None])

    lead = 0.0052 + 0.0012 * smooth_noise(rng, wide, high, size / 60)
    bead = np.sqrt(np.clip(1 - (depth / lead) ** 2, 0, 1))
    dents = 0.35 * bead * smooth_noise(rng, wide, high, size / 120)
    shine = relief_light(bead * size * 0.004, 0.9) + dents
    metal = np.array([0.13, 0.13, 0.145]) * shine[..., None]
    leaded = mix(glass, metal, smoothstep(lead + 0.0012, lead - 0.0006, depth))
    return to_image(leaded).reduce(SCALE)


def _rose(rng: np.random.Generator, wide: int, high: int) -> tuple[np.ndarray, FloatArray]:
    """Numbers and colors of the panes of a rose window."""
    colors = choose_palette(rng, ROSES)
    size = min(wide, high)
    x, y = pixel_grid(wide, high)
    radius = np.hypot(x - wide / 2, y - high / 2) / size
    turn = np.arctan2(y - high / 2, x - wide / 2) / (2 * np.pi) + rng.choice([0, 1 / 32])
    petals = int(rng.choice([8, 10, 12, 16]))
    panes = np.zeros((high, wide), int)
    steps = np.cumsum(rng.uniform(0.8, 1.3, 6))
    radii = 0.47 * steps / steps[-1]
    ring = np.zeros_like(panes)
    for number, reach in enumerate(radii):
        many = petals if number < 3 else 2 * petals
        arch = 0.16 * (number % 2) * radii[0] * (np.abs(np.cos(np.pi * many * turn)) - 0.5) * 4
        ring = np.where(radius > reach + (arch if number < 5 else 0), number + 1, ring)
    for number in range(7):
        many = (1, petals, petals, 2 * petals, 2 * petals, 2 * petals, 0)[number]
        offset = 0.5 * (number % 2)
        sector = np.floor((turn * many + offset) % max(many, 1)).astype(int)
        panes = np.where(ring == number, 1000 * number + sector, panes)
    middle = (radii[2] + radii[3]) / 2
    across = ((turn * petals) % 1 - 0.5) * 2 * np.pi * middle / petals
    medallion = np.hypot(across, radius - middle) < 0.36 * min(
        radii[3] - radii[2], 2 * middle / petals * 3
    )
    panes = np.where(medallion, 8000 + np.floor((turn * petals) % petals).astype(int), panes)
    corner = ring == 6
    shards = rng.uniform(0, 1, (60, 2)) * (wide, high)
    grid = np.stack(np.broadcast_arrays(x, y), axis=-1)[corner]
    panes[corner] = 9000 + cKDTree(shards).query(grid)[1]

    order = rng.permutation(len(colors))
    table = np.zeros((10_000, 3))
    for pane in np.unique(panes):
        group, sector = divmod(int(pane), 1000)
        number = order[(group + sector % 2 * (1 + group % 2)) % len(order)]
        table[pane] = colors[number if group < 9 else rng.integers(2)]  # 9: the corners
    used = np.unique(panes)
    table[used] = vary(rng, table[used], hue=5, lightness=0.04)
    return panes, table[panes]


def _picture(rng: np.random.Generator, width: int, height: int) -> tuple[np.ndarray, FloatArray]:
    """Numbers and colors of panes that follow a scene, its larger things broken in shards."""
    kind = rng.integers(3)
    if kind == 0:
        scene = bouquet(rng, width, height, choose_palette(rng, FLOWERS))
    else:
        subject = landscape if kind == 1 else seascape
        scene = subject(rng, width, height, choose_palette(rng, SCENES))
    high, wide = height * SCALE, width * SCALE
    region = ndimage.median_filter(scene.region, size=5).repeat(SCALE, 0).repeat(SCALE, 1)
    region = ndimage.median_filter(region, size=3)
    x, y = pixel_grid(wide, high)
    count = 110
    shards = rng.uniform(0, 1, (count, 2)) * (wide, high)
    bend = 0.08 * min(wide, high) * (smooth_noise(rng, wide, high, min(wide, high) / 3) - 0.5)
    points = np.stack([x + bend, y * 1.4 - bend], axis=-1).reshape(-1, 2)
    cell = cKDTree(shards * (1, 1.4)).query(points)[1].reshape(high, wide)
    _, panes = np.unique(region * count + cell, return_inverse=True)
    panes = panes.reshape(high, wide)
    enlarged = scene.color.repeat(SCALE, 0).repeat(SCALE, 1)
    mass = np.bincount(panes.ravel())
    means = np.stack(
        [np.bincount(panes.ravel(), enlarged[..., c].ravel()) / mass for c in range(3)], 1
    )
    return panes, vary(rng, saturate(means, 1.5), hue=12, lightness=0.05)[panes]
