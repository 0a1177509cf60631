"""Byzantine mosaic: square tesserae in rows along the contours, on a ground of gold."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

from experiments.painter.bouquet import bouquet
from experiments.painter.brush import sample
from experiments.painter.color import FloatArray, choose_palette, mix, smoothstep, to_image, vary
from experiments.painter.noise import fractal_noise
from experiments.painter.portrait import portrait
from experiments.painter.scene import Scene
from experiments.painter.surface import boundaries, pixel_grid

# gold, pale gold, lit skin, shaded skin, hair, dark, robe, second robe, lips
SAINTS = (
    "c9962f e8c66a e8c39a b07a4f 4a2c1a 1c1614 27407a 7a2432 a8432f",
    "b8862b dfb95a dfb48c 9c6b4a 6b5a4a 15181c 6a1f2b 2f6b5a 9c3b30",
    "cfa64a f0d98c e6bd98 a9745a 2e1c16 1a1420 2f6f6a b8862f b04a3a",
)
# wall, its pattern, table, vase, leaves, dark, flowers
GARDENS = (
    "1f3f6f 2f5f8f c9962f 8f2f2f 3f6f3f 14202a d9a441 e8d9b0 b03a3a 6a9fb0",
    "c9a24a e3c878 2f5a5a 27407a 4a7a3a 1c1a16 a83a3a f0e6c8 5a7fb0 d98a3a",
    "e6dcc0 cdbd94 7a4a2f 2f6f6a 5a7a3a 2a1f1a c0492f d9a441 3a5a8f 8f3a5a",
)


def mosaic(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Sets about 60 tesserae along the short side, after A. Hausner (SIGGRAPH 2001)."""
    size = min(width, height)
    if rng.random() < 0.6:
        colors = choose_palette(rng, SAINTS)
        scene = _saint(rng, width, height, colors)
    else:
        colors = choose_palette(rng, GARDENS)
        scene = bouquet(rng, width, height, colors)
    _frame(scene, colors)

    pitch = size / 60
    depth = ndimage.distance_transform_edt(~boundaries(scene.region))
    rise, run = np.gradient(ndimage.gaussian_filter(depth, pitch * 0.7))
    angle = np.arctan2(rise, run)

    x, y = _relax(rng, angle, pitch, depth)
    tilt = sample(angle, x, y)
    tile, gap, place = _nearest(x, y, tilt, width, height)
    tints = vary(rng, sample(scene.color, x, y), hue=9, lightness=0.055)
    glint = rng.random(x.size) < 0.07
    tints[glint] = np.clip(tints[glint] * 1.35 + 0.05, 0, 1)
    lean = rng.normal(0, 0.09, (x.size, 2))  # every tessera catches the light its own way
    light = 1 + (place * lean[tile]).sum(axis=-1) + 0.06 * rng.normal(0, 1, x.size)[tile]
    stone = 0.93 + 0.14 * fractal_noise(rng, width, height, pitch / 2, octaves=2)
    grout = mix(colors[5], np.array([0.62, 0.57, 0.5]), 0.55)
    grout = grout * (0.75 + 0.5 * fractal_noise(rng, width, height, pitch, octaves=3))[..., None]
    bevel = 1 + 0.22 * smoothstep(0.3, 0.06, gap) * np.where(place.sum(axis=-1) < 0, 1, -1)
    face = tints[tile] * (light * stone * bevel)[..., None]
    return to_image(mix(grout, face, smoothstep(0.05, 0.17, gap)))


def _saint(rng: np.random.Generator, width: int, height: int, colors: FloatArray) -> Scene:
    gold, pale, *_ = colors
    scene = portrait(rng, width, height, colors)
    x, y = pixel_grid(width, height)
    distance = np.hypot(x - width / 2, y - 0.4 * height) / min(width, height)
    ground = scene.region == 0
    rim = mix(colors[7], pale, 0.5 * (distance * 40 % 1 < 0.5))
    halo = np.where((distance > 0.345)[..., None], rim, pale)
    color = np.where((distance < 0.37)[..., None], halo, gold)
    scene.color[:] = np.where(ground[..., None], color, scene.color)
    rings = (distance < 0.345) * 1 + (distance < 0.37) * 1
    scene.region[:] = np.where(ground, rings - 3, scene.region)
    return scene


def _frame(scene: Scene, colors: FloatArray) -> None:
    """Lays a border of alternating lozenges around the scene."""
    height, width = scene.region.shape
    x, y = pixel_grid(width, height)
    size = min(width, height)
    inset = np.minimum(np.minimum(x, width - x), np.minimum(y, height - y)) / size
    along = np.where(np.minimum(x, width - x) < np.minimum(y, height - y), y, x) / size * 14
    lozenge = np.abs(along % 1 - 0.5) + np.abs(inset / 0.07 - 0.5) < 0.42
    for reach, tint, number in ((0.085, colors[5], -4), (0.07, colors[6], -5)):
        scene.put(inset < reach, tint, 0.0)
        scene.region[inset < reach] = number
    inner = (inset < 0.07) & lozenge
    scene.put(inner, np.where((along % 2 < 1)[..., None], colors[1], colors[7]), 0.0)


def _relax(
    rng: np.random.Generator, angle: FloatArray, pitch: float, depth: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Spreads tesserae evenly (Lloyd's method with square cells), clear of the contours."""
    height, width = angle.shape
    columns, rows = np.arange(pitch / 2, width, pitch), np.arange(pitch / 2, height, pitch)
    x, y = (axis.ravel() for axis in np.meshgrid(columns, rows))
    x, y = x + rng.uniform(-0.3, 0.3, x.size) * pitch, y + rng.uniform(-0.3, 0.3, y.size) * pitch
    step = 2
    weight = np.clip(depth[::step, ::step] / pitch, 0.03, 1).ravel()
    for _ in range(7):
        tile, _, _ = _nearest(x, y, sample(angle, x, y), width, height, step)
        tile = tile.ravel()
        grid_y, grid_x = np.mgrid[0:height:step, 0:width:step] + 0.5
        mass = np.maximum(np.bincount(tile, weight, x.size), 1e-6)
        empty = np.bincount(tile, minlength=x.size) == 0
        x = np.where(empty, x, np.bincount(tile, weight * grid_x.ravel(), x.size) / mass)
        y = np.where(empty, y, np.bincount(tile, weight * grid_y.ravel(), x.size) / mass)
    return x, y


def _nearest(
    x: FloatArray, y: FloatArray, tilt: FloatArray, width: int, height: int, step: int = 1
) -> tuple[np.ndarray, FloatArray, FloatArray]:
    """For every `step`-th pixel: its tessera, the gap to the next one, its place on the face.

    The distance is the largest coordinate in the tilted frame of a tessera, which makes cells
    square. Gap and place are in units of the mean size of a tessera.
    """
    grid_y, grid_x = np.mgrid[0:height:step, 0:width:step] + 0.5
    shape = grid_x.shape
    points = np.stack([grid_x.ravel(), grid_y.ravel()], axis=1)
    _, near = cKDTree(np.stack([x, y], axis=1)).query(points, k=min(4, x.size))
    near = near.reshape(len(points), -1)
    offset_x, offset_y = points[:, :1] - x[near], points[:, 1:] - y[near]
    cosine, sine = np.cos(tilt)[near], np.sin(tilt)[near]
    along, aside = offset_x * cosine + offset_y * sine, offset_y * cosine - offset_x * sine
    distance = np.maximum(np.abs(along), np.abs(aside))
    order = np.argsort(distance, axis=1)
    pixel = np.arange(len(points))
    first, second = order[:, 0], order[:, min(1, near.shape[1] - 1)]
    pitch = np.sqrt(width * height / x.size)
    gap = (distance[pixel, second] - distance[pixel, first]) / pitch
    place = np.stack([offset_x[pixel, first], offset_y[pixel, first]], axis=1) / pitch
    return near[pixel, first].reshape(shape), gap.reshape(shape), place.reshape(*shape, 2)
