"""Colors and palettes: arrays of RGB in [0, 1], last axis 3."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

FloatArray = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[Any]  # of numbers in [0, 1] or of truth values
WHITE = np.ones(3, np.float32)


def palette(codes: str) -> FloatArray:
    """Colors written as hexadecimal RGB, separated by spaces, as an `(N, 3)` array."""
    rgb = [[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in codes.split()]
    return np.array(rgb, np.float32)


def choose_palette(rng: np.random.Generator, palettes: tuple[str, ...]) -> FloatArray:
    """One of several palettes (see `palette`), its hues and lightness shifted a little."""
    chosen = palette(palettes[rng.integers(len(palettes))])
    turned = turn_hue(chosen, rng.normal(0, 5))
    return np.clip(turned * rng.uniform(0.94, 1.05), 0, 1)


def turn_hue(colors: FloatArray, degrees: float | FloatArray) -> FloatArray:
    """Rotates colors about the gray axis.

    Args:
        colors: `(..., 3)`.
        degrees: One angle, or one for each color, of shape `(...)`.

    Returns:
        `(..., 3)`, clipped to [0, 1].
    """
    angle = np.radians(degrees)[..., None]
    cosine, sine = np.cos(angle), np.sin(angle)
    gray = colors.mean(axis=-1, keepdims=True)
    cross = np.roll(colors, 1, axis=-1) - np.roll(colors, -1, axis=-1)
    return np.clip(colors * cosine + cross * sine / np.sqrt(3) + gray * (1 - cosine), 0, 1)


def vary(rng: np.random.Generator, colors: FloatArray, hue: float, lightness: float) -> FloatArray:
    """Broken color: every color of `(N, 3)` differs by its own hue and lightness.

    Args:
        rng: Source of the differences.
        colors: `(N, 3)`.
        hue: Standard deviation in degrees.
        lightness: Standard deviation, as a share of full white.

    Returns:
        `(N, 3)`, clipped to [0, 1].
    """
    turned = turn_hue(colors, rng.normal(0, hue, len(colors)))
    return np.clip(turned + rng.normal(0, lightness, (len(colors), 1)), 0, 1)


def saturate(colors: FloatArray, amount: float) -> FloatArray:
    """Moves colors away from gray (`amount` > 1) or towards it (< 1), clipped to [0, 1]."""
    gray = colors.mean(axis=-1, keepdims=True)
    return np.clip(gray + (colors - gray) * amount, 0, 1)


def mix(first: FloatArray, second: FloatArray, share: float | Mask) -> FloatArray:
    """Paints `second` over `first` with an opacity of `share`.

    Args:
        first: Colors that broadcast with `share[..., None]`.
        second: Colors that broadcast with `share[..., None]`.
        share: Opacity in [0, 1], one number or one for each pixel.
    """
    return first + (second - first) * np.asarray(share)[..., None]


def gradient(colors: FloatArray, place: FloatArray) -> FloatArray:
    """Colors along a scale: 0 is the first of `(N, 3)`, 1 the last, linear between."""
    stops = np.linspace(0, 1, len(colors))
    return np.stack([np.interp(place, stops, colors[:, channel]) for channel in range(3)], axis=-1)


def smoothstep(low: float | FloatArray, high: float | FloatArray, value: FloatArray) -> FloatArray:
    """0 below `low`, 1 above `high` and a smooth rise between (a fall where `low` > `high`)."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def to_image(colors: FloatArray) -> Image.Image:
    """`(height, width, 3)` in [0, 1], clipped, as an 8-bit RGB image."""
    return Image.fromarray((np.clip(colors, 0, 1) * 255 + 0.5).astype(np.uint8))
