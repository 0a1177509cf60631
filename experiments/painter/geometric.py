"""Geometric abstraction: circles, bars, triangles and grids along a leading diagonal."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from experiments.painter.color import WHITE, FloatArray, choose_palette, mix, smoothstep, to_image
from experiments.painter.noise import fractal_noise, smooth_noise
from experiments.painter.surface import SCALE, canvas_weave, pixel_grid, relief_light

# ground, line, and then the colors of the shapes
PALETTES = (
    "eee3c8 1b1b1e c8372d 1f4e8c e3b23c 2f7f6f e08a6a 8fa8b8",
    "e4ddd0 22202a d9482b 3a3f8f f0c14b 6f9f8a b0567f 2a2a2f",
    "1f2a38 f0e6d0 e2583e f2b632 4f9fb0 d9d0b8 8f3f5f 5a6f8a",
    "f2ead8 2b1d16 b5302a e98b2a 3f6f5f 17476f e9cf9a 7a4a6a",
    "d9cfb4 14181f 9f2f2f d98f2f 5f7f8f 2f3f5f e6dcc4 b86a4a",
)


def geometric(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Composes shapes large to small; where they overlap, paint shows through."""
    colors = choose_palette(rng, PALETTES)
    wide, high = width * SCALE, height * SCALE
    size = min(wide, high)
    x, y = pixel_grid(wide, high)
    lean = rng.uniform(0.3, 1.2) * rng.choice([-1, 1])
    glow = np.exp(
        -(((x / wide - rng.random()) / 0.5) ** 2 + ((y / high - rng.random()) / 0.5) ** 2)
    )
    second = colors[rng.integers(2, len(colors))]
    sheet = mix(colors[0], mix(colors[0], second, 0.55), glow)
    sheet = sheet * (0.93 + 0.12 * fractal_noise(rng, wide, high, size / 6, octaves=5))[..., None]

    scumble = 0.9 + 0.2 * fractal_noise(rng, wide, high, size / 25, octaves=3)
    shapes = (_disc, _bar, _triangle, _arc, _checker, _comb, _half_disc)
    chances = np.array([0.2, 0.22, 0.17, 0.12, 0.09, 0.1, 0.1])
    axis = np.array([np.cos(lean), np.sin(lean)])
    count = int(rng.integers(26, 42))
    for number in range(count):
        reach = size * 0.3 * (1 - number / count) ** 1.6 + size * rng.uniform(0.015, 0.06)
        along, aside = rng.uniform(-0.55, 0.55), rng.normal(0, 0.2)
        center = np.array([wide, high]) / 2 + size * (
            along * axis + aside * np.array([-axis[1], axis[0]])
        )
        turn = lean + rng.choice([0, 0, np.pi / 2, rng.uniform(0, np.pi)])
        tint = colors[rng.choice(len(colors), p=_weights(len(colors)))]
        left, top = np.clip((center - 2.6 * reach).astype(int), 0, (wide - 1, high - 1))
        right, bottom = np.clip((center + 2.6 * reach).astype(int), 1, (wide, high))
        if right <= left or bottom <= top:
            continue
        mask = Image.new("L", (int(right - left), int(bottom - top)))
        shape = shapes[rng.choice(len(shapes), p=chances)]
        shape(rng, ImageDraw.Draw(mask), center - (left, top), reach, turn)
        seen = mask.getbbox()
        if seen is None:
            continue
        cover = np.asarray(mask.crop(seen), dtype=np.float32) / 255
        left, right, top, bottom = left + seen[0], left + seen[2], top + seen[1], top + seen[3]
        at = np.s_[top:bottom, left:right]
        fade = (x[:, left:right] - center[0]) * np.cos(turn) + (y[top:bottom] - center[1]) * np.sin(
            turn
        )
        opacity = rng.choice([1.0, 0.97, 0.8]) - rng.choice([0, 0.25]) * smoothstep(
            -reach, reach, fade
        )
        paint = tint * scumble[at][..., None]
        if rng.random() < 0.25 and colors[0].mean() > 0.5:
            paint = sheet[at] * mix(tint, WHITE, 0.15)
        sheet[at] = mix(sheet[at], paint, cover * opacity)
    painted = np.asarray(to_image(sheet).reduce(SCALE), dtype=np.float32) / 255
    rough = canvas_weave(rng, width, height, max(2.0, size / 380))
    rough = rough + 1.2 * smooth_noise(rng, width, height, size / 320, 3)
    return to_image(painted * relief_light(rough, 0.12)[..., None])


def _weights(count: int) -> FloatArray:
    weights = np.array([0.35, 1.1] + [1.0] * (count - 2))
    return weights / weights.sum()


def _turned(corners: FloatArray, center: FloatArray, turn: float) -> list[float]:
    cosine, sine = np.cos(turn), np.sin(turn)
    return (corners @ np.array([[cosine, sine], [-sine, cosine]]) + center).ravel().tolist()


def _box(center: FloatArray, reach: float) -> tuple[float, ...]:
    return (*(center - reach).tolist(), *(center + reach).tolist())


def _disc(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    center: FloatArray,
    reach: float,
    turn: float,
) -> None:
    draw.ellipse(_box(center, 0.8 * reach), fill=255)
    if rng.random() < 0.6:
        for radius, fill in ((0.68, 0), (0.6, 255), (0.42, 0), (0.3, 255))[
            : 2 * int(rng.integers(1, 3))
        ]:
            draw.ellipse(_box(center, radius * reach), fill=fill)


def _half_disc(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    center: FloatArray,
    reach: float,
    turn: float,
) -> None:
    draw.pieslice(
        _box(center, reach), np.degrees(turn), np.degrees(turn) + rng.choice([90, 180]), fill=255
    )


def _bar(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    center: FloatArray,
    reach: float,
    turn: float,
) -> None:
    long, thin = 2.2 * reach, reach * rng.choice([0.03, 0.06, 0.25])
    corners = np.array([[-long, -thin], [long, -thin], [long, thin], [-long, thin]])
    draw.polygon(_turned(corners, center, turn), fill=255)


def _triangle(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    center: FloatArray,
    reach: float,
    turn: float,
) -> None:
    base = rng.uniform(0.25, 0.8)
    corners = np.array([[-0.9, -base], [1.4, rng.uniform(-0.4, 0.4)], [-0.9, base]]) * reach
    draw.polygon(_turned(corners, center, turn), fill=255)


def _arc(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    center: FloatArray,
    reach: float,
    turn: float,
) -> None:
    begin = np.degrees(turn)
    thick = max(2, round(reach * rng.choice([0.04, 0.1, 0.2])))
    draw.arc(_box(center, 1.3 * reach), begin, begin + rng.uniform(60, 250), fill=255, width=thick)


def _checker(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    center: FloatArray,
    reach: float,
    turn: float,
) -> None:
    cell = 0.24 * reach
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * cell
    for row in range(-3, 3):
        for column in range(-2, 2):
            if (row + column) % 2:
                corners = square + np.array([row, column]) * cell
                draw.polygon(_turned(corners, center, turn), fill=255)


def _comb(
    rng: np.random.Generator,
    draw: ImageDraw.ImageDraw,
    center: FloatArray,
    reach: float,
    turn: float,
) -> None:
    lines = int(rng.integers(4, 9))
    for aside in np.linspace(-0.6, 0.6, lines) * reach:
        ends = np.array([[-1.2 * reach, aside], [1.2 * reach, aside * rng.choice([1.0, 1.3])]])
        draw.line(_turned(ends, center, turn), fill=255, width=max(2, round(0.03 * reach)))
