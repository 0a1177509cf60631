"""Surfaces and their lighting: grids, masks, paper, canvas, relief."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

from experiments.painter.color import FloatArray
from experiments.painter.noise import smooth_noise

SCALE = 2  # pictures are drawn this many times larger, then reduced, for smooth edges


def pixel_grid(width: int, height: int) -> tuple[FloatArray, FloatArray]:
    """Centres of the pixels: x of shape `(1, width)`, y of shape `(height, 1)`, in pixels."""
    x = np.arange(width, dtype=np.float32)[None] + 0.5
    y = np.arange(height, dtype=np.float32)[:, None] + 0.5
    return x, y


def boundaries(region: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Where the number of a pixel differs from that of its upper or left neighbour."""
    down = np.diff(region, axis=0, prepend=region[:1]) != 0
    across = np.diff(region, axis=1, prepend=region[:, :1]) != 0
    return down | across


def polygon_mask(corners: FloatArray, width: int, height: int) -> FloatArray:
    """1 inside a polygon of `(N, 2)` corners in pixels, 0 outside: `(height, width)`."""
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).polygon(np.ravel(corners).tolist(), fill=1)
    return np.asarray(image, dtype=np.float32)


def blob(
    rng: np.random.Generator, x: float, y: float, radius: float, roughness: float, corners: int = 48
) -> FloatArray:
    """Outline `(corners, 2)` of a rounded shape: a circle with a few random waves on it."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = np.ones(corners)
    for waves in range(2, 7):
        reach += roughness / waves * rng.normal() * np.cos(waves * turn + rng.uniform(0, 6.3))
    return np.stack([x + radius * reach * np.cos(turn), y + radius * reach * np.sin(turn)], axis=1)


def paper_grain(rng: np.random.Generator, width: int, height: int) -> FloatArray:
    """Fibrous paper as a factor about 1: `(height, width)`, within about 0.85 to 1.15."""
    fibres = smooth_noise(rng, width, height, 2, 5) + smooth_noise(rng, width, height, 9, 0.25)
    tooth = ndimage.gaussian_filter(rng.normal(0, 1, (height, width)), 0.8)
    return 1 + 0.05 * (fibres - 1) + 0.04 * tooth


def canvas_weave(rng: np.random.Generator, width: int, height: int, pitch: float) -> FloatArray:
    """Height of woven threads in [0, 1], `pitch` pixels apart: `(height, width)`."""
    x, y = pixel_grid(width, height)
    wobble_x = smooth_noise(rng, width, height, 12 * pitch) * pitch * 2
    wobble_y = smooth_noise(rng, width, height, 12 * pitch) * pitch * 2
    column = (x + wobble_x) * np.pi / pitch
    row = (y + wobble_y) * np.pi / pitch
    over = np.sin(column) ** 2 * (np.sin(row / 2) * np.sin(column / 2) > 0)
    under = np.sin(row) ** 2 * (np.sin(row / 2) * np.sin(column / 2) <= 0)
    threads = smooth_noise(rng, width, height, pitch, 6)
    return np.clip((over + under) * (0.6 + 0.4 * threads), 0, 1)


def relief_light(thickness: FloatArray, strength: float, softness: float = 0.8) -> FloatArray:
    """Light from the upper left on a relief, as a factor about 1.

    Args:
        thickness: Height of the surface, `(height, width)`.
        strength: Change of the factor for a slope of one unit of height per pixel.
        softness: Standard deviation in pixels of the smoothing before the slopes are taken.
    """
    smooth = ndimage.gaussian_filter(thickness.astype(np.float32), softness)
    down, across = np.gradient(smooth)
    return 1 + np.clip(strength * (down + across) * 0.7, -0.35, 0.35)
