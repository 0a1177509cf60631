"""Brush strokes of many bristles, whose paint has color and thickness."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from experiments.painter.color import FloatArray, to_image
from experiments.painter.surface import SCALE, relief_light


def follow(
    angle: FloatArray, x: FloatArray, y: FloatArray, length: float, steps: int
) -> FloatArray:
    """Paths that start at given points and follow a field of directions.

    Args:
        angle: `(height, width)` directions in radians; opposite directions count as the same.
        x: `(N,)` starting columns in pixels.
        y: `(N,)` starting rows in pixels.
        length: Length of a path in pixels.
        steps: Number of points of a path.

    Returns:
        `(N, steps, 2)` points (x, y).
    """
    height, width = angle.shape
    points = [np.stack([x, y], axis=1)]
    heading = angle[_index(y, height), _index(x, width)]
    for _ in range(steps - 1):
        x = x + np.cos(heading) * length / (steps - 1)
        y = y + np.sin(heading) * length / (steps - 1)
        points.append(np.stack([x, y], axis=1))
        turned = angle[_index(y, height), _index(x, width)]
        heading = np.where(np.cos(turned - heading) < 0, turned + np.pi, turned)
    return np.stack(points, axis=1)


def scatter(
    rng: np.random.Generator, width: int, height: int, spacing: float
) -> tuple[FloatArray, FloatArray]:
    """Points of a jittered lattice in random order, about `spacing` pixels apart, `(N,)` each."""
    columns = np.arange(-spacing, width + spacing, spacing)
    rows = np.arange(-spacing, height + spacing, spacing)
    x, y = (axis.ravel() for axis in np.meshgrid(columns, rows))
    order = rng.permutation(x.size)
    jitter = rng.uniform(0, spacing, (2, x.size))
    return x[order] + jitter[0], y[order] + jitter[1]


def sample(field: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Values of an `(height, width, ...)` field at points, the nearest pixel's."""
    return field[_index(y, field.shape[0]), _index(x, field.shape[1])]


class OilCanvas:
    """Paint on a canvas.

    Color is kept in RGB, the thickness of the paint in alpha, so that one call draws both.
    """

    def __init__(self, ground: FloatArray) -> None:
        """Starts from the ground color of every pixel, `(height, width, 3)`."""
        height, width, _ = ground.shape
        layer = to_image(ground).resize((width * SCALE, height * SCALE)).convert("RGBA")
        layer.putalpha(90)
        self._layer = layer
        self._draw = ImageDraw.Draw(layer)

    def stroke(
        self,
        rng: np.random.Generator,
        paths: FloatArray,
        width: float,
        colors: FloatArray,
        bristles: int = 6,
        unevenness: float = 0.035,
    ) -> None:
        """Draws strokes one over the other.

        Args:
            rng: Source of the differences between bristles.
            paths: `(N, K, 2)` points in pixels, see `follow`.
            width: Width of the brush in pixels.
            colors: `(N, 3)`.
            bristles: Lines of paint side by side in a stroke.
            unevenness: Standard deviation of the bristles' lightness, as a share of full white.
        """
        count, steps, _ = paths.shape
        along = np.gradient(paths, axis=1)
        along = along / np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-6)
        across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
        offset = np.linspace(-0.5, 0.5, bristles) * width * (1 - 1 / bristles)
        slip = rng.normal(0, 0.3 * width, (count, bristles))
        lines = (
            paths[:, None]
            + offset[None, :, None, None] * across[:, None]
            + slip[:, :, None, None] * along[:, None]
        )
        lightness = rng.normal(0, unevenness, (count, bristles, 1))
        paint = np.clip(colors[:, None] + lightness, 0, 1) * 255
        load = rng.normal(150, 40, (count, bristles, 1)) + 30 * rng.normal(0, 1, (count, 1, 1))
        ink = np.concatenate([paint, np.clip(load, 0, 255)], axis=2).astype(np.uint8)
        thickness = max(1, round(1.7 * SCALE * width / bristles))
        for line, fill in zip(
            (lines * SCALE).reshape(-1, steps * 2).tolist(),
            ink.reshape(-1, 4).tolist(),
            strict=True,
        ):
            self._draw.line(line, fill=tuple(fill), width=thickness)

    def dots(
        self,
        rng: np.random.Generator,
        x: FloatArray,
        y: FloatArray,
        radius: float,
        colors: FloatArray,
    ) -> None:
        """Draws round touches of paint at `(N,)` points, with radii about `radius` pixels."""
        wide = radius * SCALE * rng.uniform(0.75, 1.2, (2, x.size))
        left, right = x * SCALE - wide[0], x * SCALE + wide[0]
        top, bottom = y * SCALE - wide[1], y * SCALE + wide[1]
        load = np.clip(rng.normal(170, 35, (x.size, 1)), 0, 255)
        ink = np.concatenate([np.clip(colors, 0, 1) * 255, load], axis=1).astype(np.uint8)
        boxes = np.stack([left, top, right, bottom], axis=1).tolist()
        for box, fill in zip(boxes, ink.tolist(), strict=True):
            self._draw.ellipse(box, fill=tuple(fill))

    def picture(self, relief: float) -> Image.Image:
        """The lit painting at its final size; `relief` is the strength of light and shadow."""
        values = np.asarray(self._layer, dtype=np.float32) / 255
        lit = values[..., :3] * relief_light(values[..., 3], relief)[..., None]
        return to_image(lit).reduce(SCALE)


def _index(place: FloatArray, size: int) -> np.ndarray:
    return np.clip(place, 0, size - 1).astype(np.intp)
