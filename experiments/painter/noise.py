"""Smooth random fields: the clouds, hills, grain and currents of every manner."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from experiments.painter.color import FloatArray


def smooth_noise(
    rng: np.random.Generator, width: int, height: int, cell: float, stretch: float = 1.0
) -> FloatArray:
    """Bicubic interpolation of one random value per cell of a lattice (value noise).

    Args:
        rng: Source of the lattice and of its place.
        width: Columns.
        height: Rows.
        cell: Height of a lattice cell in pixels.
        stretch: Width of a cell as a multiple of its height.

    Returns:
        `(height, width)`, values about [0, 1], mean 0.5.
    """
    across, down = width / (cell * stretch), height / cell
    lattice = rng.random((math.ceil(down) + 4, math.ceil(across) + 4), dtype=np.float32)
    left, top = 1 + rng.random(2)
    box = (left, top, left + across, top + down)
    enlarged = Image.fromarray(lattice).resize((width, height), Image.Resampling.BICUBIC, box=box)
    return np.asarray(enlarged)


def fractal_noise(
    rng: np.random.Generator,
    width: int,
    height: int,
    cell: float,
    stretch: float = 1.0,
    octaves: int = 4,
) -> FloatArray:
    """Sum of `smooth_noise` at halved cells and halved strengths.

    Returns:
        `(height, width)`, values stretched to exactly [0, 1].
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = max(cell / 2**octave, 1.0)
        total += smooth_noise(rng, width, height, size, stretch) / 2**octave
    low, high = total.min(), total.max()
    return (total - low) / max(high - low, 1e-6)


def profile(rng: np.random.Generator, length: int, cell: float, octaves: int = 4) -> FloatArray:
    """One line of `fractal_noise`, as a ridge or a coast needs it: `(length,)` in [0, 1]."""
    return fractal_noise(rng, length, 1, cell, stretch=1.0, octaves=octaves)[0]


def current(potential: FloatArray) -> FloatArray:
    """Direction of the flow along the level lines of a field (its curl).

    Returns:
        `(height, width)` angles in radians, measured from the x axis towards growing y.
    """
    down, across = np.gradient(potential)
    return np.arctan2(-across, down)
