"""Attention as pictures: correspondence maps, heat maps and entropy maps.

Colors are chosen in CIELAB, where equal distances look about equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw
from skimage.color import lab2rgb, rgb2lab

from datnet.stylize.attention import ChannelGates, Correspondence, LevelAttention

CHROMA = 62.0
"""Largest a* and b* of the position colors, at the middle of an edge of the painting."""

LIGHTNESS = (38.0, 84.0)
"""Range of L* of tinted pictures: darker or lighter colors have no room for this chroma."""

HEAT = np.array(
    [
        [8.0, 10.0, -22.0],
        [30.0, 48.0, -42.0],
        [50.0, 62.0, 8.0],
        [70.0, 34.0, 62.0],
        [92.0, -6.0, 68.0],
    ]
)
"""L* a* b* from the smallest value to the largest: dark blue, purple, red, orange, yellow. The
lightness rises evenly, so the order is also seen in gray and by the color-blind."""

GATES = np.array([[38.0, 8.0, -48.0], [94.0, 0.0, 0.0], [44.0, 56.0, 34.0]])
"""L* a* b* from the lowest gate over the mean to the highest: blue, white, red."""

MARKS = ("#ffffff", "#000000")
"""Colors of a mark's ring and of its outline."""


def position_colors(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Color of a position in the painting: red–green from left to right, blue–yellow downwards.

    Args:
        x: Fraction of the width in [0, 1].
        y: Fraction of the height in [0, 1], of the same shape.

    Returns:
        a* and b*, ``(…, 2)``.
    """
    return CHROMA * np.stack([1 - 2 * x, 2 * y - 1], axis=-1)


def tinted(image: Image.Image, colors: np.ndarray) -> Image.Image:
    """Give an image other colors; its lightness stays visible.

    Args:
        image: An RGB image of size ``(W, H)``.
        colors: a* and b*, ``(H, W, 2)``.

    Returns:
        An RGB image of the same size.
    """
    lightness = rgb2lab(np.asarray(image))[..., :1]
    low, high = LIGHTNESS
    return from_lab(np.concatenate([low + (high - low) / 100 * lightness, colors], axis=-1))


def legend(painting: Image.Image) -> Image.Image:
    """Return the painting with its position colors, the legend of correspondence maps."""
    x, y = np.meshgrid(
        np.linspace(0, 1, painting.width), np.linspace(0, 1, painting.height), indexing="xy"
    )
    return tinted(painting, position_colors(x, y))


def correspondence_map(
    photograph: Image.Image, level: LevelAttention, found: Correspondence
) -> Image.Image:
    """Color each position of the photograph as the place in the painting it takes most from.

    Args:
        photograph: The photograph, whose lightness stays visible.
        level: The level of attention.
        found: Its correspondence.

    Returns:
        An RGB image of the photograph's size.
    """
    height, width = level.style_grid
    x, y = np.moveaxis(found.strongest, -1, 0)
    colors = position_colors(x / max(1, width - 1), y / max(1, height - 1))
    return tinted(photograph, enlarged(colors, level.stride, photograph.size))


def entropy_map(level: LevelAttention, found: Correspondence, size: tuple[int, int]) -> Image.Image:
    """Show how spread attention is: dark where it is concentrated, bright where it is spread.

    Args:
        level: The level of attention.
        found: Its correspondence.
        size: Width and height of the picture.

    Returns:
        An RGB image; the brightest color stands for equal attention to all positions.
    """
    most = np.log2(max(2, level.style_grid[0] * level.style_grid[1]))
    return heat_map(enlarged(found.entropy / most, level.stride, size))


def share_map(painting: Image.Image, level: LevelAttention, found: Correspondence) -> Image.Image:
    """Show which parts of the painting the whole picture takes from, as heat over the painting."""
    return heat_over(painting, found.share, level.stride)


def heat_over(picture: Image.Image, values: np.ndarray, stride: int) -> Image.Image:
    """Show values as heat over a dimmed gray picture.

    The square root of the values is shown, relative to the largest, so that weak parts are seen.

    Args:
        picture: An RGB image.
        values: ``(h, w)``, not negative; position ``(i, j)`` starts at pixel ``i * stride, j *
            stride``.
        stride: Pixels per position.

    Returns:
        An RGB image of the same size.
    """
    strength = np.sqrt(values / max(values.max(), np.finfo(np.float32).tiny))
    strength = enlarged(strength, stride, picture.size)[..., None]
    gray = rgb2lab(np.asarray(picture))[..., :1]
    dimmed = np.concatenate([8 + 0.45 * gray, np.zeros_like(gray), np.zeros_like(gray)], axis=-1)
    hot = colors_of(strength[..., 0], HEAT)
    opacity = np.clip(1.6 * strength, 0, 0.9)
    return from_lab((1 - opacity) * dimmed + opacity * hot)


def heat_map(values: np.ndarray) -> Image.Image:
    """Show values ``(H, W)`` in [0, 1] as heat."""
    return from_lab(colors_of(values, HEAT))


def colors_of(values: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Interpolate a scale of colors.

    Args:
        values: In [0, 1], of any shape.
        anchors: ``(N, 3)``: L* a* b* at equal distances from 0 to 1.

    Returns:
        L* a* b*, ``(…, 3)``.
    """
    places = np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(values, places, channel) for channel in anchors.T], axis=-1)


def from_lab(colors: np.ndarray) -> Image.Image:
    """Convert L* a* b* ``(H, W, 3)`` to an RGB image; colors outside sRGB are clipped."""
    with np.errstate(all="ignore"):
        pixels = lab2rgb(colors)
    return Image.fromarray(np.rint(255 * pixels).astype(np.uint8))


def enlarged(values: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """Enlarge a map to pixels: each position becomes a square of ``stride`` pixels.

    Args:
        values: ``(h, w)`` or ``(h, w, C)``.
        stride: Pixels per position.
        size: Width and height of the picture, at most ``w * stride`` and ``h * stride``.

    Returns:
        ``(H, W)`` or ``(H, W, C)``.
    """
    rows = values.repeat(stride, axis=0)[: size[1]]
    return rows.repeat(stride, axis=1)[:, : size[0]]


def marked(picture: Image.Image, x: float, y: float, label: str = "") -> Image.Image:
    """Return a copy with a ring around a point.

    Args:
        picture: An RGB image.
        x: In pixels.
        y: In pixels.
        label: A few letters beside the ring.

    Returns:
        An RGB image of the same size.
    """
    marked = picture.copy()
    draw = ImageDraw.Draw(marked)
    radius = max(5.0, min(picture.size) / 40)
    for color, width in ((MARKS[1], radius / 1.6), (MARKS[0], radius / 3.2)):
        margin = radius + width / 2 - radius / 3.2
        draw.ellipse((x - margin, y - margin, x + margin, y + margin), None, color, round(width))
    if label:
        right = x + 4 * radius > picture.width
        draw.text(
            (x + (-1.6 if right else 1.6) * radius, y),
            label,
            MARKS[0],
            anchor="rm" if right else "lm",
            font_size=2.6 * radius,
            stroke_width=round(radius / 3),
            stroke_fill=MARKS[1],
        )
    return marked


def gate_strips(gates: Sequence[ChannelGates], size: tuple[int, int]) -> list[Image.Image]:
    """Show the gates of each level: channels from left to right, photograph above painting.

    A channel is red if its gate is above the mean of its level, and blue if it is below; the color
    is full at three standard deviations.

    Args:
        gates: The gates.
        size: Width and height of each picture.

    Returns:
        One RGB image per level.
    """
    strips = []
    for level in gates:
        both = np.stack([level.photograph, level.painting])
        deviation = (both - both.mean()) / max(float(both.std()), 1e-12)
        colors = colors_of(np.clip(0.5 + deviation / 6, 0, 1), GATES)
        strips.append(from_lab(colors).resize(size, Image.Resampling.NEAREST))
    return strips
