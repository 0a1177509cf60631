"""Analytic cubism: a still life broken into shaded facets, in ochres and grays."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from experiments.painter.brush import OilCanvas, follow, sample, scatter
from experiments.painter.color import FloatArray, choose_palette, mix, to_image, vary
from experiments.painter.noise import fractal_noise, smooth_noise
from experiments.painter.surface import SCALE, pixel_grid, polygon_mask

# light, pale, ochre, brown, gray, cool, dark
PALETTES = (
    "e6d9b8 cbb68a a8874f 6f4f2e 8a8a80 5f7076 241d18",
    "dcdccb b9b79c 94885f 5f5f45 7f8c8a 4a5f66 1c2022",
    "e9d3b4 d3a878 b0683f 74402f 8f8578 4f6a70 261a1a",
    "dfe0dc b7bcc0 a39a7a 73624a 7a8894 40566e 1b2029",
)


def cubism(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Piles facets along a few leading directions, adds signs of a guitar and a bottle."""
    colors = choose_palette(rng, PALETTES)
    size = min(width, height)
    picture = mix(colors[1], colors[4], fractal_noise(rng, width, height, size / 3))
    angle = np.full((height, width), 0.2)
    leading = rng.uniform(0, np.pi) + np.array([0, 0.55, 1.1, np.pi / 2])
    outlines = []
    for number in range(85):
        share = number / 84  # facets grow smaller and move to the middle
        spread = (0.5 - 0.22 * share) * np.array([width, height])
        center = np.array([width, height]) / 2 + rng.uniform(-1, 1, 2) * spread
        corners = _facet(rng, center, size * rng.uniform(0.22, 0.42) * (1 - 0.6 * share), leading)
        _shade(rng, picture, angle, corners, colors)
        outlines.append(corners)

    unit = size / 100
    canvas = OilCanvas(picture)
    for brush, cover in ((2.2, 1.7), (1.1, 1.5)):
        x, y = scatter(rng, width, height, brush * cover * unit)
        tints = vary(rng, sample(picture, x, y), hue=5, lightness=0.03)
        turn = angle + 0.5 * (smooth_noise(rng, width, height, size / 8) - 0.5)
        canvas.stroke(
            rng, follow(turn, x, y, 2.0 * brush * unit, 3), brush * unit, tints, bristles=4
        )
    painted = np.asarray(canvas.picture(relief=0.8), dtype=np.float32) / 255
    return _signs(rng, to_image(mix(picture, painted, 0.5)), outlines[20::2], colors)


def _facet(
    rng: np.random.Generator, center: FloatArray, reach: float, leading: FloatArray
) -> FloatArray:
    """Corners `(3 or 4, 2)` of a facet with sides along two of the leading directions."""
    first, second = rng.choice(leading, 2, replace=False) + rng.normal(0, 0.06, 2)
    long = reach * np.array([np.cos(first), np.sin(first)]) * rng.uniform(0.7, 1.5)
    wide = reach * np.array([np.cos(second), np.sin(second)]) * rng.uniform(0.4, 1.0)
    corners = np.stack(
        [-long - wide, long - wide, long + wide * rng.uniform(0.2, 1.2), -long + wide]
    )
    if rng.random() < 0.35:
        corners = np.delete(corners, rng.integers(4), axis=0)
    return center + corners * 0.6


def _shade(
    rng: np.random.Generator,
    picture: FloatArray,
    angle: FloatArray,
    corners: FloatArray,
    colors: FloatArray,
) -> None:
    """Paints a facet that is dense at one edge and open at the other (passage)."""
    height, width, _ = picture.shape
    left, top = np.clip(corners.min(0).astype(int) - 1, 0, (width - 1, height - 1))
    right, bottom = np.clip(corners.max(0).astype(int) + 2, 1, (width, height))
    if right <= left or bottom <= top:
        return
    at = np.s_[top:bottom, left:right]
    x, y = pixel_grid(right - left, bottom - top)
    mask = polygon_mask(corners - (left, top), right - left, bottom - top)
    edge = corners[1] - corners[0]
    across = np.array([-edge[1], edge[0]]) / max(np.hypot(*edge), 1e-6)
    reach = (corners - corners[0]) @ across
    far = reach[np.argmax(np.abs(reach))]
    place = ((x + left - corners[0, 0]) * across[0] + (y + top - corners[0, 1]) * across[1]) / (
        far or 1
    )
    tint = colors[rng.choice(7, p=[0.24, 0.2, 0.17, 0.11, 0.13, 0.09, 0.06])]
    cover = mask * np.clip(1.05 - rng.uniform(0.55, 1.15) * place, 0, 0.96)
    picture[at] = mix(picture[at], tint, cover)
    angle[at] = np.where(mask > 0, np.arctan2(edge[1], edge[0]), angle[at])


def _signs(
    rng: np.random.Generator, picture: Image.Image, outlines: list[FloatArray], colors: FloatArray
) -> Image.Image:
    """Draws broken contours, strings, a sound hole, scrolls and the neck of a bottle."""
    width, height = picture.size
    size = min(width, height) * SCALE
    large = picture.resize((width * SCALE, height * SCALE), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(large)
    ink = tuple(int(255 * value) for value in colors[6])
    chalk = tuple(int(255 * value) for value in colors[0])
    thin = max(1, round(size / 330))
    for corners in outlines:
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if rng.random() < 0.33:
                tip = start + (end - start) * rng.uniform(0.4, 1.15)
                draw.line(
                    (*start * SCALE, *tip * SCALE), fill=ink, width=thin * int(rng.integers(1, 3))
                )
    middle = np.array([width, height]) * SCALE * rng.uniform(0.4, 0.6, 2)
    hole = size * rng.uniform(0.05, 0.08)
    lean = rng.uniform(0.9, 2.2)
    axis, aside = np.array([np.cos(lean), -np.sin(lean)]), np.array([np.sin(lean), np.cos(lean)])
    for radius, fill in ((hole, ink), (hole * 0.82, chalk), (hole * 0.74, ink)):
        box = (*(middle - radius), *(middle + radius))
        begin = float(rng.uniform(0, 360))
        draw.chord(box, begin, begin + 200, fill=fill)
    for string in np.linspace(-0.7, 0.7, 6):
        start = middle + aside * hole * string - axis * size * 0.16
        draw.line((*start, *(start + axis * size * rng.uniform(0.4, 0.55))), fill=ink, width=thin)
    for side in (-1, 1):
        for offset, radius in ((0.1, 0.16), (-0.15, 0.22)):
            spot = middle + axis * size * offset + side * aside * size * 0.1
            begin = np.degrees(np.arctan2(*(side * aside)[::-1])) - 80
            box = (*(spot - radius * size / 2), *(spot + radius * size / 2))
            draw.arc(box, begin, begin + rng.uniform(90, 190), fill=ink, width=2 * thin)
    neck = middle + np.array([rng.choice([-0.24, 0.24]) * size, rng.uniform(-0.3, -0.1) * size])
    for side in (-1, 1):
        outline = np.array([[0.018, -0.1], [0.018, 0.0], [0.05, 0.06], [0.05, 0.26]])
        outline = outline * (side, 1) * size
        draw.line((outline + neck).ravel().tolist(), fill=ink, width=2 * thin)
    for ring in (-0.1, -0.085, 0.26):
        half = size * (0.018 if ring < 0 else 0.05)
        draw.ellipse(
            (
                neck[0] - half,
                neck[1] + ring * size - half / 3,
                neck[0] + half,
                neck[1] + ring * size + half / 3,
            ),
            outline=ink,
            width=thin,
        )
    corner = middle + rng.uniform(-0.3, 0.1, 2) * size
    for line in range(9):  # a newspaper, unreadable
        left = corner + np.array([0, line * size * 0.017])
        while left[0] < corner[0] + size * 0.2:
            word = size * rng.uniform(0.01, 0.035)
            draw.line((*left, left[0] + word, left[1]), fill=ink, width=max(1, round(size / 200)))
            left = left + np.array([word + size * 0.008, 0])
    return large.reduce(SCALE)
