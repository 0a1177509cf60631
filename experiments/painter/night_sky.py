"""Swirling night: long curving strokes that follow the eddies around stars and moon."""

from __future__ import annotations

import numpy as np
from PIL import Image

from experiments.painter.brush import OilCanvas, follow, sample, scatter
from experiments.painter.color import choose_palette, gradient, mix, smoothstep, vary
from experiments.painter.noise import current, fractal_noise, profile, smooth_noise
from experiments.painter.scene import Scene
from experiments.painter.surface import pixel_grid

# four tones of the sky from dark to light, halo, star, hills, cypress, window
PALETTES = (
    "14213d 26457d 4f7cb8 a9c9d8 f0dc82 ffb627 2c4a52 14201a ffd166",
    "1b1b3a 3c3f84 6d79b8 c3c4d9 ffe8a3 f79d3c 35495e 1d2b23 ffca58",
    "0d2c35 145a62 3f9a93 b2d8c5 f6efb0 f2a541 274b3f 101d18 f7d774",
    "2a1a3e 563a7c 8f6bb0 d6b8d0 ffe1a8 ff8c5a 3b3557 191427 ffcf70",
)


def night_sky(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Paints eddies, a moon, stars with halos, hills with lit windows and cypresses."""
    colors = choose_palette(rng, PALETTES)
    unit = min(width, height) / 100
    scene = _night(rng, width, height, colors)
    canvas = OilCanvas(scene.color * 0.8)
    for brush, length, cover in ((3.0, 16, 1.3), (1.7, 15, 1.25)):
        size = brush * unit
        x, y = scatter(rng, width, height, cover * size)
        tints = vary(rng, sample(scene.color, x, y), hue=8, lightness=0.06)
        strong = rng.random(x.size) < 0.12
        tints[strong] = mix(tints[strong], colors[rng.integers(4, size=strong.sum())], 0.7)
        paths = follow(scene.angle, x, y, length * unit, steps=9)
        canvas.stroke(rng, paths, size, tints, bristles=4, unevenness=0.05)
    x, y = scatter(rng, width, height, 1.3 * unit)
    near = sample(scene.region, x, y) > 3  # houses and cypresses, in front of three hills
    x, y = x[near], y[near]
    tints = vary(rng, sample(scene.color, x, y), hue=8, lightness=0.05)
    canvas.stroke(
        rng, follow(scene.angle, x, y, 2.5 * unit, steps=4), 1.2 * unit, tints, bristles=3
    )
    return canvas.picture(relief=1.3)


def _night(rng: np.random.Generator, width: int, height: int, colors: np.ndarray) -> Scene:
    tones, halo, star, hills, cypress, window = colors[:4], *colors[4:]
    size = min(width, height)
    x, y = pixel_grid(width, height)
    ground = height * rng.uniform(0.68, 0.8)

    potential = 0.9 * y / height + 0.22 * smooth_noise(rng, width, height, size / 3)
    band = np.zeros((height, width))
    for _ in range(rng.integers(2, 4)):  # eddies
        center_x, center_y = width * rng.uniform(0.1, 0.9), ground * rng.uniform(0.25, 0.7)
        reach = size * rng.uniform(0.12, 0.2)
        distance = np.hypot(x - center_x, (y - center_y) * 1.25) / reach
        potential = potential + rng.choice([-1, 1]) * 0.5 * np.exp(-(distance**2))
        band += np.exp(-((distance / 1.2) ** 2)) * np.cos(
            5 * distance + np.arctan2(y - center_y, x - center_x)
        )
    drift = fractal_noise(rng, width, height, size / 5, 3)
    color = gradient(tones, 0.3 * y / ground + 0.3 * band + 0.5 * drift)
    angle = current(potential)

    for index in range(rng.integers(6, 12)):  # the first one is the moon
        center_x, center_y = width * rng.uniform(0.04, 0.96), ground * rng.uniform(0.05, 0.75)
        radius = size * (0.05 if index == 0 else rng.uniform(0.014, 0.026))
        distance = np.hypot(x - center_x, y - center_y) / radius
        rings = 0.7 + 0.3 * np.cos(3.2 * distance)
        color = mix(color, halo, smoothstep(4.2, 1.2, distance) * rings)
        color = mix(color, star, smoothstep(1.25, 0.8, distance))
        around = np.arctan2(x - center_x, center_y - y)
        angle = np.where(distance < 3.8, around, angle)
    scene = Scene(color, angle, np.zeros((height, width), int))

    for layer in range(3):
        ridge = ground + height * 0.09 * layer - height * 0.14 * profile(rng, width, width / 3)
        slope = np.arctan(np.gradient(ridge))[None] + 0.6 * (
            smooth_noise(rng, width, height, size / 8) - 0.5
        )
        shade = fractal_noise(rng, width, height, size / 12, 3)
        tint = mix(mix(tones[2], hills, 0.4 + 0.3 * layer), tones[0], 0.7 * shade)
        scene.put(y > ridge, tint, slope)
    for _ in range(rng.integers(5, 14)):
        left, top = width * rng.uniform(0.02, 0.95), height * rng.uniform(0.84, 0.95)
        wide, tall = size * rng.uniform(0.03, 0.07), size * rng.uniform(0.03, 0.05)
        house = (np.abs(x - left) < wide / 2) & (y > top - tall) & (y < top)
        scene.put(house, mix(tones[1], tones[3], rng.uniform(0.1, 0.6)), 0.0)
        roof = (
            (np.abs(x - left) < (y - top + 2 * tall) * 0.6)
            & (y > top - 2 * tall)
            & (y < top - tall)
        )
        scene.put(roof, mix(cypress, hills, 0.5), 0.7)
        pane = (np.abs(x - left) < wide / 6) & (np.abs(y - top + tall / 2) < tall / 4)
        scene.put(pane, window, 0.0)
    for _ in range(rng.integers(1, 3)):
        center, peak = width * rng.uniform(0.08, 0.92), height * rng.uniform(0.12, 0.5)
        share = (y - peak) / (height - peak)
        sway = size * 0.02 * np.sin(9 * share + rng.uniform(0, 6))
        reach = size * 0.075 * np.clip(share, 0, 1) ** 0.7 * (1 + 0.2 * np.sin(23 * share))
        flame = (np.abs(x - center - sway) < reach) & (share > 0)
        lick = 0.5 + 0.5 * np.sin((x - center - sway) / size * 120 + 14 * share)
        lean = np.pi / 2 + 0.35 * np.sin(14 * share) + 0 * x
        scene.put(flame, mix(cypress, hills, 0.55 * lick), lean)
    return scene
