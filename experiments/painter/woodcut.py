"""Color woodcut of waves: few flat inks, carved lines, grain of the plank, a graded sky."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from experiments.painter.color import FloatArray, choose_palette, mix, smoothstep, to_image
from experiments.painter.noise import fractal_noise, profile, smooth_noise
from experiments.painter.surface import SCALE, paper_grain, pixel_grid

# paper, deep blue, middle blue, pale blue, line, low sky, sun
PALETTES = (
    "f2e6c8 1f3a63 4f7fa8 a9c4c4 14202f e3b58a c8452e",
    "efe3cf 12464c 3f8a84 a8cdb4 0f2326 f0c27b d9542b",
    "f4ead6 2f2a5f 6470a8 b8bcd0 17142f eaa79a b83a4a",
    "ebdcb8 26402f 5f8760 b4bf8a 151f16 d9a05a 9a3b2a",
    "f0e4cc 33302c 7a7264 b5a88f 1a1715 c9b18a b23a2a",
)
PAPER, DEEP, MIDDLE, PALE, LINE = range(5)  # the inks of the waves, in the order of a palette


def woodcut(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Prints a graded sky with a sun and a mountain, and rows of waves with scalloped foam."""
    colors = choose_palette(rng, PALETTES)
    low_sky, accent = colors[5:]
    wide, high = width * SCALE, height * SCALE
    size = min(wide, high)
    x, y = pixel_grid(wide, high)
    horizon = high * rng.uniform(0.34, 0.5)
    plank = fractal_noise(rng, wide, high, size / 70, 14, octaves=3)
    printed = 0.86 + 0.14 * smoothstep(0.25, 0.5, plank)  # share of the ink the plank hands over

    sky = mix(colors[PAPER], low_sky, 0.9 * smoothstep(0.35, 1.0, y / horizon))
    sky = mix(sky, colors[MIDDLE], 0.85 * smoothstep(0.42, 0.0, y / horizon))
    sheet = np.broadcast_to(sky, (high, wide, 3)).copy()
    _sun_and_mountain(rng, sheet[: int(horizon + 0.1 * high)], horizon, colors, accent)

    rows = int(rng.integers(5, 8))
    shares = np.linspace(0, 1, rows).tolist()
    bases = [horizon + (high * 1.02 - horizon) * share**1.15 for share in shares] + [2.0 * high]
    way = rng.choice([-1.0, 1.0])
    for row, share in enumerate(shares):
        index, top = _wave(rng, share, way, bases[row], bases[row + 1], wide, high)
        at = np.s_[top : top + len(index)]
        inked = np.where(index == PAPER, 1, printed[at]) * (index >= 0)
        sheet[at] = mix(sheet[at], colors[index], inked)

    inset = np.minimum(np.minimum(x, wide - x), np.minimum(y, high - y)) / size
    frame = inset + 0.003 * smooth_noise(rng, wide, high, size / 30)
    sheet[frame < 0.029] = colors[LINE]
    sheet[frame < 0.024] = colors[PAPER]
    print_ = np.asarray(to_image(sheet).reduce(SCALE), dtype=np.float32) / 255
    worn = 0.06 * (smooth_noise(rng, width, height, size / 6) - 0.5)[..., None]
    return to_image((print_ + worn) * paper_grain(rng, width, height)[..., None])


def _sun_and_mountain(
    rng: np.random.Generator,
    sky: FloatArray,
    horizon: float,
    colors: FloatArray,
    accent: FloatArray,
) -> None:
    """Prints the things above the horizon onto the upper rows of the sheet, in place."""
    high, wide, _ = sky.shape
    x, y = pixel_grid(wide, high)
    disc_x, disc_y = wide * rng.uniform(0.15, 0.85), horizon * rng.uniform(0.3, 0.75)
    sky[np.hypot(x - disc_x, y - disc_y) < wide * rng.uniform(0.06, 0.1)] = accent
    cloud = smooth_noise(rng, wide, high, wide / 16, 7)
    for edge in (0.66, 0.74):
        sky[:] = mix(sky, colors[PAPER], 0.75 * (cloud > edge) * (y < 0.9 * horizon))
    peak = wide * rng.uniform(0.25, 0.75)
    ragged = wide * 0.02 * profile(rng, wide, wide / 12)
    rise = horizon * rng.uniform(0.4, 0.7)
    cone = horizon - rise * np.exp(-np.abs(np.arange(wide) - peak) / wide * 3.2) + ragged
    sky[y > cone] = colors[DEEP]
    snow = cone.min() + 0.3 * rise + 2.5 * ragged * np.sin(np.arange(wide) / wide * 60)
    sky[(y > cone) & (y < snow)] = colors[PAPER]
    sky[np.abs(y - cone) < wide * 0.0028] = colors[LINE]


def _wave(
    rng: np.random.Generator,
    share: float,
    way: float,
    base: float,
    below: float,
    wide: int,
    high: int,
) -> tuple[np.ndarray, int]:
    """One row of waves, as numbers of inks.

    Args:
        rng: Source of the shape.
        share: From 0 (far) to 1 (near).
        way: -1 or 1, the side to which the waves lean.
        base: Mean row of the waves in pixels.
        below: The same of the next nearer waves, which hide what lies lower.
        wide: Columns.
        high: Rows of the sheet.

    Returns:
        `(rows, wide)` numbers of inks, -1 where nothing is printed, and the first row's number.
    """
    size = min(wide, high)
    length, swell = size * (0.16 + 0.5 * share), size * (0.03 + 0.16 * share**1.2)
    top = int(np.clip(base - 3.2 * swell, 0, high - 1))
    bottom = int(np.clip(below + swell, top + 1, high))
    x, y = pixel_grid(wide, bottom - top)
    y = y + top
    # the waves lean: columns move with the height before the crest is looked up
    lean = (0.32 + 0.9 * share) * np.clip(base - y, 0, swell * 2)
    bend = lean + 0.3 * swell * np.sin(y / swell * 1.2)
    columns = (x + way * bend + rng.uniform(0, length)) / length
    phase = (columns + 0.25 * np.sin(columns * 1.7)) % 1
    crest = swell * (2.1 * np.abs(np.sin(np.pi * phase)) ** 0.6 - 1 - 0.3 * np.sin(columns * 2.3))
    depth = (y - base + swell * 0.9 - crest) / size  # below the crest

    pitch = 0.016 + 0.014 * share
    wobble = 0.35 * smooth_noise(rng, wide, bottom - top, size / 14)
    bands = depth / pitch + wobble
    carved = bands % 1 < 0.5 - 0.34 * smoothstep(0, 0.28 + 0.1 * share, depth)
    index = np.full(depth.shape, DEEP if share > 0.25 else MIDDLE)
    index[bands / 3 % 1 < 0.42] = MIDDLE
    index[carved] = PALE
    # foam: a scalloped sheet that hangs from the peaks, and spray above them
    peaks = np.abs(np.cos(np.pi * phase)) ** 2
    fingers = np.abs(np.sin(columns * np.pi * (9 + 2 * rng.random()) + 9 * wobble))
    drops = np.abs(np.sin(columns * np.pi * 23 + 5 * wobble))
    reach = (0.01 + 0.085 * share) * (0.12 + peaks) * (0.35 + 0.5 * fingers + 0.25 * drops)
    line = 0.0026 + 0.001 * share
    index[depth < reach + line] = LINE
    foam = depth < reach
    index[foam] = PAPER
    index[foam & (np.abs(depth - 0.55 * reach) < 0.5 * line)] = MIDDLE
    index[np.abs(depth) < line] = LINE
    index[depth < 0] = -1
    specks = smooth_noise(rng, wide, bottom - top, size * (0.006 + 0.005 * share))
    spray = (specks > 0.93) & (depth < -0.006) & (depth > -0.09 * share) & (peaks > 0.55)
    index[ndimage.binary_dilation(spray, iterations=2)] = LINE
    index[spray] = PAPER
    return index, top
