"""Engraving: a tone picture in swelling lines and cross-hatching of one ink."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from experiments.painter.bouquet import bouquet
from experiments.painter.color import (
    choose_palette,
    mix,
    palette,
    smoothstep,
    to_image,
)
from experiments.painter.noise import fractal_noise, smooth_noise
from experiments.painter.outdoors import landscape, seascape
from experiments.painter.portrait import portrait
from experiments.painter.scene import Scene
from experiments.painter.surface import SCALE, paper_grain, pixel_grid

# paper, ink
PALETTES = ("efe4cb 1d1a17", "e8d8b5 4a2a16", "f0ead8 17243d", "e3d3c0 5a1f1c", "dfe0cf 1f3327")
OUTDOORS = palette("8a8a8a d8d8d8 a0a0a0 747474 a8a8a8 303030 fafafa 505050")
FLOWERS = palette("5a5a5a 808080 b8b8b8 989898 606060 202020 f0f0f0 c0c0c0 e0e0e0 a0a0a0")
HEAD = palette("707070 404040 f4f4f4 8a8a8a 3a3a3a 101010 606060 a0a0a0 787878")


def engraving(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Cuts a landscape, a sea, flowers or a head; lines follow the forms."""
    paper, ink = choose_palette(rng, PALETTES)
    wide, high = width * SCALE, height * SCALE
    size = min(wide, high)
    scene = _subject(rng, width, height)
    tone = ndimage.gaussian_filter(scene.color.mean(axis=-1), min(width, height) / 170)
    low, top = np.quantile(tone, (0.02, 0.98))
    tone = np.clip((tone - low) / (top - low), 0, 1)
    dark = 1 - np.asarray(
        Image.fromarray(tone.astype(np.float32)).resize((wide, high), Image.Resampling.BICUBIC)
    )

    x, y = pixel_grid(wide, high)
    # the lines bulge with the tones, as if every form were round
    relief = ndimage.gaussian_filter(dark, size / 45) * size * 0.1
    relief = relief + size * 0.05 * smooth_noise(rng, wide, high, size / 4)
    pitch = size / 100
    jitter = pitch * 0.5 * fractal_noise(rng, wide, high, size / 50)
    start = rng.uniform(0, np.pi)
    inked = np.zeros((high, wide))
    for turn, threshold, slope in ((0.0, 0.06, 0.95), (1.15, 0.42, 0.9), (0.55, 0.68, 0.9)):
        angle = start + turn
        phase = (x * np.cos(angle) + y * np.sin(angle) + relief + jitter) / pitch
        line = np.abs(phase % 1 - 0.5) * 2
        swell = np.clip((dark - threshold) * slope, 0, 0.72)
        inked = np.maximum(inked, smoothstep(swell + 0.06, swell - 0.06, line) * (swell > 0.02))
    smooth = ndimage.median_filter(scene.region.repeat(SCALE, 0).repeat(SCALE, 1), 5)
    outline = (smooth != np.roll(smooth, 2, 0)) | (smooth != np.roll(smooth, 2, 1))
    inked = np.maximum(inked, ndimage.gaussian_filter(outline.astype(np.float32), 0.8) * 0.9)

    margin = np.minimum(np.minimum(x, wide - x), np.minimum(y, high - y)) / size
    inked = inked * (margin > 0.045)
    inked = np.maximum(inked, (margin > 0.036) & (margin < 0.041))
    wiped = 0.86 + 0.14 * fractal_noise(rng, wide, high, size / 9)
    plate = mix(paper, ink, 0.05 * (margin > 0.02))
    sheet = mix(plate * paper_grain(rng, wide, high)[..., None], ink, inked * wiped)
    return to_image(sheet).reduce(SCALE)


def _subject(rng: np.random.Generator, width: int, height: int) -> Scene:
    kind = rng.integers(4)
    if kind == 0:
        return landscape(rng, width, height, OUTDOORS)
    if kind == 1:
        return seascape(rng, width, height, OUTDOORS)
    if kind == 2:
        return bouquet(rng, width, height, FLOWERS)
    return portrait(rng, width, height, HEAD)
