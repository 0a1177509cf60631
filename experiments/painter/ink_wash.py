"""Ink wash: mountains that rise from mist, dry-brush rocks, pines and a red seal."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from experiments.painter.color import FloatArray, choose_palette, mix, smoothstep, to_image
from experiments.painter.noise import fractal_noise, profile
from experiments.painter.surface import SCALE, paper_grain, pixel_grid

# paper, ink, tint of the far mountains, seal
PALETTES = (
    "efe6d0 16181c 5a6a78 b0302a",
    "e6d8b4 1c1712 6a7a62 a8281e",
    "f1ede2 12151f 4a6a8f c03a2e",
    "dccba0 20160e 4f7a6a 9f2a20",
)


def ink_wash(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Paints ranges from far to near, each paler at its foot, then trees, boats and birds."""
    paper, ink, tint, seal = choose_palette(rng, PALETTES)
    size = min(width, height)
    x, y = pixel_grid(width, height)
    tone = np.zeros((height, width))  # darkness of the ink
    cool = np.zeros((height, width))  # share of the tint in it
    silk = fractal_noise(rng, width, height, size / 60, octaves=3)

    ranges = int(rng.integers(4, 6))
    for layer in range(ranges):
        share = layer / (ranges - 1)
        peak = height * (0.12 + 0.62 * share + rng.uniform(-0.05, 0.05))
        shape = profile(rng, width, width / rng.uniform(2.2, 3.6), octaves=6)
        ridge = peak + height * 0.34 * (1 - 0.4 * share) * (1 - shape**0.8) - height * 0.05
        depth = (y - ridge) / height
        body = smoothstep(0, 0.006, depth) * smoothstep(0.42, 0.02, depth)
        # rock texture: streaks that run down the slope
        warp = size * 0.08 * fractal_noise(rng, width, height, size / 6)
        streaks = fractal_noise(rng, width, height, size / 9, 0.16, octaves=5)
        rows, columns = (y - ridge[None] * 0.9) % height, (x + warp + 0.6 * (y - ridge)) % width
        streaks = ndimage.map_coordinates(streaks, np.stack([rows, columns]), order=1, mode="wrap")
        dry = (
            smoothstep(0.52, 0.68, streaks + 0.25 * (silk - 0.5))
            * smoothstep(0.3, 0.01, depth)
            * (depth > 0)
        )
        line = np.exp(-((depth / 0.006) ** 2)) * (0.4 + 0.8 * silk)
        pool = fractal_noise(rng, width, height, size / 4, octaves=3)
        strength = 0.14 + 0.36 * share
        layer_tone = (
            strength * body * (0.5 + 0.9 * pool) + (0.2 + 0.5 * share) * dry + strength * line
        )
        cover = smoothstep(0, 0.01, depth) * (0.55 + 0.35 * smoothstep(0.35, 0.05, depth))
        tone = tone * (1 - cover) + layer_tone
        cool = cool * (1 - cover) + cover * (1 - share)
    mist = fractal_noise(rng, width, height, size / 4, 3.5, octaves=3)
    tone *= 1 - 0.75 * smoothstep(0.5, 0.8, mist) * smoothstep(0.95, 0.5, y / height)

    marks = _marks(rng, width, height)
    bleed = ndimage.gaussian_filter(marks, size * 0.006)
    tone = np.maximum(tone * (1 - 0.3 * bleed), marks * (0.72 + 0.4 * silk) + 0.25 * bleed)
    color = mix(ink, tint, 0.85 * np.clip(cool, 0, 1))
    sheet = paper * paper_grain(rng, width, height)[..., None] * (0.95 + 0.08 * mist[..., None])
    picture = mix(sheet, color, np.clip(tone * (0.85 + 0.3 * silk), 0, 0.96))
    return to_image(_stamp(rng, picture, seal, size, silk))


def _marks(rng: np.random.Generator, width: int, height: int) -> FloatArray:
    """Darkness of pines, boats and birds, drawn with a pointed brush."""
    size = min(width, height)
    image = Image.new("L", (width * SCALE, height * SCALE))
    draw = ImageDraw.Draw(image)

    def stroke(points: FloatArray, thick: float, thin: float, ink: int) -> None:
        steps = np.linspace(0, 1, 70)
        places = np.linspace(0, 1, len(points))
        path = (
            np.stack([np.interp(steps, places, points[:, axis]) for axis in (0, 1)], axis=1) * SCALE
        )
        for (left, top), share in zip(path.tolist(), steps.tolist(), strict=True):
            radius = max(
                0.5, SCALE * size * (thick + (thin - thick) * share) * rng.uniform(0.75, 1.1)
            )
            draw.ellipse((left - radius, top - radius, left + radius, top + radius), fill=ink)

    group, group_foot = width * rng.choice([0.22, 0.78]), height * rng.uniform(0.9, 0.98)
    for _ in range(rng.integers(3, 6)):
        root_x, root_y = (
            group + rng.normal(0, 0.12) * width,
            group_foot + rng.normal(0, 0.02) * height,
        )
        tall, ink = size * rng.uniform(0.2, 0.42), int(rng.integers(170, 250))
        trunk = np.stack(
            [
                root_x + size * 0.03 * rng.normal(0, 1, 6).cumsum() * 0.6,
                root_y - tall * np.linspace(0, 1, 6),
            ],
            1,
        )
        stroke(trunk, 0.009, 0.003, ink)
        for joint in range(2, 6):
            for side in (-1, 1):
                reach = size * rng.uniform(0.05, 0.13) * (1.25 - 0.13 * joint)
                tip = trunk[joint] + (side * reach, rng.uniform(-0.4, 0.1) * reach)
                stroke(np.stack([trunk[joint], tip]), 0.004, 0.0015, ink)
                for _ in range(34):  # needles
                    root = (
                        trunk[joint]
                        + (tip - trunk[joint]) * rng.uniform(0.3, 1.05)
                        + rng.normal(0, 0.006, 2) * size
                    )
                    turn, long = rng.uniform(-2.8, -0.3), size * rng.uniform(0.012, 0.03)
                    end = root + long * np.array([np.cos(turn), np.sin(turn)])
                    draw.line(
                        (*root * SCALE, *end * SCALE), fill=ink, width=max(1, round(size / 200))
                    )
    boat_x, boat_y = width - group + rng.normal(0, 0.08) * width, height * rng.uniform(0.82, 0.92)
    hull = np.array([[-0.07, -0.012], [-0.03, 0.004], [0.03, 0.004], [0.075, -0.016]]) * size + (
        boat_x,
        boat_y,
    )
    stroke(hull, 0.004, 0.003, 215)
    stroke(np.array([[0.005, 0], [0.012, -0.035]]) * size + (boat_x, boat_y), 0.005, 0.004, 200)
    flock_x, flock_y = width * rng.uniform(0.3, 0.7), height * rng.uniform(0.06, 0.16)
    for _ in range(rng.integers(3, 8)):
        spot = np.array([flock_x, flock_y]) + rng.normal(0, 0.05, 2) * size
        span = size * rng.uniform(0.008, 0.016)
        stroke(
            spot + span * np.array([[-1, -0.5], [-0.4, -0.6], [0, 0], [0.4, -0.6], [1, -0.4]]),
            0.0015,
            0.001,
            190,
        )
    return np.asarray(image.reduce(SCALE), dtype=np.float32) / 255


def _stamp(
    rng: np.random.Generator, picture: FloatArray, seal: FloatArray, size: int, silk: FloatArray
) -> FloatArray:
    """Presses a square seal with a carved maze near a lower corner or an upper one."""
    height, width, _ = picture.shape
    side = max(8, round(size * 0.065))
    left = int(width * rng.choice([0.06, 0.94]) - side / 2)
    top = int(height * rng.choice([0.1, 0.86]))
    left, top = np.clip(left, 0, width - side), np.clip(top, 0, height - side)
    maze = rng.random((9, 9)) < 0.5
    maze[:, :5] |= rng.random((9, 1)) < 0.3
    maze = np.pad(maze, 1, constant_values=True)
    carved = Image.fromarray((maze * 255).astype(np.uint8)).resize(
        (side, side), Image.Resampling.BILINEAR
    )
    ink = np.asarray(carved) / 255 * (0.55 + 0.6 * silk[top : top + side, left : left + side])
    patch = picture[top : top + side, left : left + side]
    picture[top : top + side, left : left + side] = mix(patch, seal, np.clip(ink, 0, 0.95))
    return picture
