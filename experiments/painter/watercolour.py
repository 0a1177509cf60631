"""Watercolor: transparent washes that run, dry with dark edges and grain on white paper."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from experiments.painter.color import FloatArray, Mask, choose_palette, mix, smoothstep, to_image
from experiments.painter.noise import fractal_noise, profile
from experiments.painter.surface import blob, paper_grain, pixel_grid, polygon_mask

# sky, warm light, far hills, middle hills, trees, dark, ground, flowers
PALETTES = (
    "6f9fd8 f2c98a 8a9cc8 6a9a8a 5f8f45 3f4f6f b5a55a d85a6a",
    "8fa8c0 f0b0a0 a08ab0 7a80a0 7a8a4a 5a4a5f c09a6a c0503a",
    "5ab0c8 f5dc90 7ab0b0 5aa080 4f9060 2f5a6f 90b060 e89040",
    "9a90c8 f7c0b8 b0a0d0 8a90b0 7f8f60 50507a c0b080 d070a0",
    "e0a070 f7d9a0 b08a9f 8f6f7f a08040 5f4a50 c08a50 b04a3a",
)


class _Sheet:
    """Wet paper that keeps what the washes leave on it."""

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        self.rng = rng
        self.size = size = min(width, height)
        self.paint = np.ones((height, width, 3), np.float32)
        self.x, self.y = pixel_grid(width, height)
        self.tooth = fractal_noise(rng, width, height, size / 45, octaves=3)
        self.pools = fractal_noise(rng, 2 * width, 2 * height, size / 5, octaves=5)
        self.run = [
            size * 0.05 * (fractal_noise(rng, width, height, size / 7, octaves=6) - 0.5)
            for _ in range(2)
        ]

    def wash(
        self, wet: FloatArray, pigment: FloatArray, strength: float, top: int = 0, left: int = 0
    ) -> None:
        """One transparent layer.

        Args:
            wet: Share of water in [0, 1] in a window of the sheet; pigment gathers where it ends.
            pigment: Color that a full layer lets through, `(3,)`.
            strength: Thickness of the layer, 1 for a full one.
            top: First row of the window.
            left: First column of the window.
        """
        at = np.s_[top : top + wet.shape[0], left : left + wet.shape[1]]
        down, across = self.rng.integers(self.size, size=2)  # every wash pools elsewhere
        pools = self.pools[down : down + wet.shape[0], across : across + wet.shape[1]]
        rim = np.clip(wet - ndimage.gaussian_filter(wet, self.size * 0.009), 0, 1) * (wet > 0.3)
        density = strength * (wet * (0.4 + 0.85 * pools) + 1.1 * rim)
        density = density * (0.72 + 0.56 * self.tooth[at])
        self.paint[at] *= np.maximum(pigment, 0.05) ** density[..., None]

    def ragged(self, mask: Mask, top: int = 0, left: int = 0) -> FloatArray:
        """A mask of a window with an edge that ran along the paper."""
        rows, columns = np.indices(mask.shape, np.float32)
        at = np.s_[top : top + mask.shape[0], left : left + mask.shape[1]]
        moved = np.stack([rows + self.run[0][at], columns + self.run[1][at]])
        run = ndimage.map_coordinates(mask.astype(np.float32), moved, order=1, mode="nearest")
        return smoothstep(0.3, 0.7, ndimage.gaussian_filter(run, self.size * 0.002))


def watercolour(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Paints a misty landscape with a lake or a meadow, from light to dark."""
    sky, warm, far, middle, leaf, dark, ground, flower = choose_palette(rng, PALETTES)
    size = min(width, height)
    sheet = _Sheet(rng, width, height)
    y = sheet.y
    horizon = height * rng.uniform(0.4, 0.62)
    cloudy = rng.uniform(0.5, 0.68)
    clouds = fractal_noise(rng, width, height, size / 4, 1.8, octaves=5)
    fall = smoothstep(1.05, 0.2, y / horizon)
    sheet.wash(smoothstep(cloudy, cloudy - 0.2, clouds) * fall, sky, 1.0)
    glow = smoothstep(0.3, 0.9, y / horizon) * smoothstep(1.4, 0.9, y / horizon)
    sheet.wash(glow * clouds, warm, 0.9)
    for layer in range(3):
        share = layer / 2
        rise = height * rng.uniform(0.14, 0.26) * (1 - 0.7 * share)
        ridge = horizon - rise * profile(rng, width, width / (2 + layer))
        fade = smoothstep(ridge + height * (0.35 - 0.1 * share), ridge, y)
        hill = sheet.ragged(y > ridge) * fade
        sheet.wash(hill, mix(far, middle, share), 0.5 + 0.5 * share)

    shore = horizon + height * (0.02 + 0.1 * profile(rng, width, width / 2))
    lake = rng.random() < 0.4
    near = sheet.ragged(y > shore)
    sheet.wash(near, mix(sky, warm, 0.3) if lake else ground, 0.6)
    strips = fractal_noise(rng, width, height, size / (22 if lake else 11), 7 if lake else 3.5)
    sheet.wash(
        sheet.ragged((y > shore) * (strips > 0.54)), middle if lake else mix(ground, leaf, 0.6), 0.6
    )
    if lake:
        bank = height * (0.97 - 0.16 * profile(rng, width, width / 2) * np.linspace(0, 1.4, width))
        sheet.wash(sheet.ragged(y > bank), mix(ground, leaf, 0.4), 0.9)
    for _ in range(rng.integers(3, 9)):
        depth = rng.random() ** 1.5 * (0.3 if lake else 1)
        foot = horizon + height * (0.05 + 0.28 * depth)
        _tree(
            rng, sheet, width * rng.random(), foot, size * (0.05 + 0.11 * depth), (leaf, dark, warm)
        )
    for _ in range(rng.integers(0, 90)):
        low = rng.uniform(0.25, 1)
        place = width * rng.random(), horizon + (height - horizon) * low
        reach = size * 0.009 * low * rng.uniform(0.3, 1.3)
        _spot(rng, sheet, place, reach, mix(flower, warm, rng.uniform(0, 0.6)))
    paper = np.array([0.985, 0.97, 0.93]) * paper_grain(rng, width, height)[..., None] ** 0.7
    return to_image(sheet.paint * paper)


def _tree(
    rng: np.random.Generator,
    sheet: _Sheet,
    center: float,
    foot: float,
    reach: float,
    pigments: tuple[FloatArray, FloatArray, FloatArray],
) -> None:
    """A crown of three washes, light to dark, on a leaning trunk."""
    leaf, dark, warm = pigments
    height, width, _ = sheet.paint.shape
    top, bottom = (int(np.clip(row, 0, height)) for row in (foot - 4 * reach, foot + reach))
    left, right = (
        int(np.clip(column, 0, width)) for column in (center - 3 * reach, center + 3 * reach)
    )
    if right - left < 4 or bottom - top < 4:
        return
    x, y = sheet.x[:, left:right] - center, sheet.y[top:bottom] - foot
    trunk = (np.abs(x - 0.12 * y) < 0.07 * reach) & (y < 0) & (y > -2 * reach)
    sheet.wash(sheet.ragged(trunk, top, left), dark, 0.9, top, left)
    for pigment, spread, strength in (
        (mix(leaf, warm, 0.45), 1.0, 0.7),
        (leaf, 0.8, 0.8),
        (dark, 0.5, 0.5),
    ):
        crown = np.zeros((bottom - top, right - left), np.float32)
        for _ in range(5):
            spot_x = center - left + rng.normal(0, 0.5) * reach
            spot_y = foot - top - reach * rng.uniform(1.0, 2.3)
            outline = blob(rng, spot_x, spot_y, spread * reach * rng.uniform(0.3, 0.75), 0.35)
            crown = np.maximum(crown, polygon_mask(outline, right - left, bottom - top))
        gaps = smoothstep(0.3, 0.42, fractal_noise(rng, right - left, bottom - top, reach / 2.5))
        sheet.wash(sheet.ragged(crown, top, left) * gaps, pigment, strength, top, left)


def _spot(
    rng: np.random.Generator,
    sheet: _Sheet,
    place: tuple[float, float],
    reach: float,
    pigment: FloatArray,
) -> None:
    """One touch of a wet brush."""
    height, width, _ = sheet.paint.shape
    left, top = (max(0, int(middle - 2 * reach - 2)) for middle in place)
    right, bottom = (
        min(width, int(place[0] + 2 * reach + 3)),
        min(height, int(place[1] + 2 * reach + 3)),
    )
    if right > left and bottom > top:
        outline = blob(rng, place[0] - left, place[1] - top, reach, 0.3, corners=16)
        spot = ndimage.gaussian_filter(polygon_mask(outline, right - left, bottom - top), 0.6)
        sheet.paint[top:bottom, left:right] *= np.maximum(pigment, 0.05) ** (1.1 * spot[..., None])
