"""Color fields: a few large scumbled rectangles with soft edges, floating on a ground."""

from __future__ import annotations

import numpy as np
from PIL import Image

from experiments.painter.color import WHITE, choose_palette, mix, smoothstep, to_image
from experiments.painter.noise import fractal_noise, smooth_noise
from experiments.painter.surface import canvas_weave, pixel_grid, relief_light

# ground, and then the fields
PALETTES = (
    "8c2f1b e4572e f3a712 5a1220 d1495b",
    "1d2b4f 2f4b8f 6b2d5c 14182e c8553d",
    "c98b2b f2c14e f78154 e8e0b5 b4432f",
    "3a1f2b 7a1f2e b3392f 1c1016 40334a",
    "2f4a3f 4f7a5a a3b18a 1f2f2a d9a05b",
    "b8a99a e7dccb 8fa3ad 5a6570 d98e73",
)


def colour_field(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Stacks two to four fields, each of many thin brushed layers, on woven canvas."""
    ground, *fields = choose_palette(rng, PALETTES)
    size = min(width, height)
    x, y = pixel_grid(width, height)
    weave = canvas_weave(rng, width, height, pitch=max(2.0, size / 150))
    paint = (
        ground * (0.82 + 0.36 * fractal_noise(rng, width, height, size / 5, octaves=5))[..., None]
    )
    brushed = np.zeros((height, width))

    count = int(rng.integers(2, 5))
    cuts = np.cumsum(rng.uniform(0.5, 1.6, count))
    cuts = np.concatenate([[0], cuts / cuts[-1]]) * 0.9 + 0.05
    order = rng.permutation(len(fields))
    for number in range(count):
        top, bottom = cuts[number] + 0.012, cuts[number + 1] - 0.012
        left, right = rng.uniform(0.05, 0.09), 1 - rng.uniform(0.05, 0.09)
        tint, under = fields[order[number]], fields[order[(number + 1) % len(order)]]
        for layer in range(6):
            stretch = rng.choice([0.35, 1.5, 4.0, 7.0])
            marks = fractal_noise(
                rng, width, height, size / rng.uniform(14, 40), stretch, octaves=3
            )
            torn = 0.035 * (smooth_noise(rng, width, height, size / 16) - 0.5)
            torn = torn + 0.05 * (marks - 0.5)
            inset = np.minimum(
                np.minimum(x / width - left, right - x / width),
                np.minimum(y / height - top, bottom - y / height),
            )
            soft = 0.012 + 0.012 * layer
            cover = smoothstep(-soft, soft, inset + torn - 0.008 * layer)
            cover = cover * (0.25 + 0.6 * smoothstep(0.3, 0.75, marks))
            shade = mix(tint, under if layer < 2 else tint * rng.uniform(0.85, 1.18), 0.7)
            paint = mix(paint, shade, cover * (0.9 if layer < 2 else 0.6))
            brushed += cover * (marks - 0.5)
    dry = smoothstep(0.55, 0.85, fractal_noise(rng, width, height, size / 7, octaves=5)) * (
        1 - weave
    )
    paint = mix(paint, mix(ground, WHITE, 0.2), 0.3 * dry)
    stain = 0.93 + 0.12 * fractal_noise(rng, width, height, size / 4, octaves=6)
    light = relief_light(weave * 1.2 + brushed, 0.28, softness=0.6)
    return to_image(paint * (light * stain)[..., None])
