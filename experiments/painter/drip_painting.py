"""Drip painting: poured skeins and spatter of enamel, layer over layer, on raw canvas."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from experiments.painter.color import choose_palette, mix, to_image
from experiments.painter.noise import fractal_noise
from experiments.painter.surface import SCALE, canvas_weave, relief_light

# canvas, and then the paints in the order of pouring
PALETTES = (
    "d8c7a4 1a1a1c 8f8c85 f1ece0 b5482f 1a1a1c d9a63a",
    "e3d6bc 2a3f5f 16181d e8b23a f4f0e6 8f2f2a 16181d",
    "c9b28a 3b2a20 e9e2d0 5f7f7a 1b1715 c96f3a e9e2d0",
    "e9e4d8 4a4a8a d94f70 17171f f2c84b f6f3ec 3fa08f",
    "2b2420 d8d2c4 b03a2e e0b84c 6f8f9f f3eee2 15120f",
)


def drip_painting(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Pours about ninety lines and throws some hundred drops in every paint."""
    colors = choose_palette(rng, PALETTES)
    wide, high = width * SCALE, height * SCALE
    size = min(wide, high)
    weave = canvas_weave(rng, wide, high, pitch=size / 160)
    stain = fractal_noise(rng, wide, high, size / 4, octaves=5)
    ground = mix(colors[0], colors[0] * 0.78, stain) * (0.88 + 0.14 * weave[..., None])
    layer = to_image(ground).convert("RGBA")
    layer.putalpha(40)
    draw = ImageDraw.Draw(layer)
    for number, paint in enumerate(colors[1:]):
        fill = (*(int(255 * value) for value in paint), 90 + 25 * number)
        for _ in range(rng.integers(9, 18)):
            _pour(rng, draw, wide, high, size * rng.choice([0.0016, 0.0028, 0.005]), fill)
        for _ in range(rng.integers(6, 13)):
            _spatter(rng, draw, wide, high, fill)
    values = np.asarray(layer, dtype=np.float32) / 255
    thick = ndimage.gaussian_filter(values[..., 3], 1.2)
    light = relief_light(thick * 6 + 0.4 * weave * (values[..., 3] < 0.2), 0.35)
    return to_image(values[..., :3] * light[..., None]).reduce(SCALE)


def _pour(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    wide: int,
    high: int,
    radius: float,
    fill: tuple[int, ...],
) -> None:
    """One skein: a smooth wandering path that thins where the hand is fast and drips."""
    steps = int(rng.integers(90, 260))
    bend = ndimage.gaussian_filter1d(rng.normal(0, 1, steps), 6) * rng.uniform(0.5, 1.3)
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(bend)
    speed = 1 + 0.6 * ndimage.gaussian_filter1d(rng.normal(0, 3, steps), 8)
    stride = min(wide, high) * 0.011 * np.clip(speed, 0.25, 3)
    x = wide * rng.uniform(-0.1, 1.1) + np.cumsum(np.cos(heading) * stride)
    y = high * rng.uniform(-0.1, 1.1) + np.cumsum(np.sin(heading) * stride)
    girth = radius / np.clip(speed, 0.35, 2.5) * (1 + 0.3 * rng.normal(0, 1, steps))
    fine = np.linspace(0, steps - 1, steps * 3)
    x, y, girth = (np.interp(fine, np.arange(steps), values) for values in (x, y, girth))
    girth = np.clip(girth, 0.6, 4 * radius)
    for here in range(len(fine) - 1):
        line = (x[here], y[here], x[here + 1], y[here + 1])
        draw.line(line, fill=fill, width=max(1, round(2 * girth[here])))
        if girth[here] > 1.5:
            reach = girth[here]
            draw.ellipse(
                (x[here] - reach, y[here] - reach, x[here] + reach, y[here] + reach), fill=fill
            )
        if rng.random() < 0.006:
            reach = girth[here] * rng.uniform(1.6, 3.2)
            draw.ellipse(
                (x[here] - reach, y[here] - reach, x[here] + reach, y[here] + reach), fill=fill
            )


def _spatter(
    rng: np.random.Generator, draw: ImageDraw.ImageDraw, wide: int, high: int, fill: tuple[int, ...]
) -> None:
    """A throw of drops along one direction, the larger the fewer."""
    size = min(wide, high)
    middle = rng.uniform(0, 1, 2) * (wide, high)
    lean = rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(12, 60)):
        far, aside = rng.exponential(0.12) * size, rng.normal(0, 0.03) * size
        x = middle[0] + far * np.cos(lean) - aside * np.sin(lean)
        y = middle[1] + far * np.sin(lean) + aside * np.cos(lean)
        reach = size * min(0.0012 / max(rng.random(), 0.06), 0.014)
        draw.ellipse((x - reach, y - reach * 0.9, x + reach, y + reach * 0.9), fill=fill)
