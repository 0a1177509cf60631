"""Landscapes and seas."""

from __future__ import annotations

import numpy as np

from experiments.painter.color import FloatArray, gradient, mix, smoothstep
from experiments.painter.noise import fractal_noise, profile, smooth_noise
from experiments.painter.scene import Scene
from experiments.painter.surface import blob, pixel_grid, polygon_mask


def landscape(rng: np.random.Generator, width: int, height: int, colors: FloatArray) -> Scene:
    """Sky with clouds, hills, a field or a water, trees and flowers.

    Args:
        rng: Source of the composition.
        width: Columns.
        height: Rows.
        colors: `(8, 3)`: high sky, low sky, far hills, middle hills, ground, trees, light,
            accent.
    """
    sky_high, sky_low, far, middle, ground, dark, light, accent = colors
    _, y = pixel_grid(width, height)
    horizon = height * rng.uniform(0.36, 0.56)
    scene = _sky(rng, width, height, horizon, sky_high, sky_low, light)

    hills = rng.integers(2, 5)
    for hill in range(hills):
        share = hill / (hills - 1)
        rise = height * rng.uniform(0.06, 0.2) * (1 - 0.45 * share)
        ridge = horizon + height * 0.04 * share - rise * profile(rng, width, width / 2.5)
        slope = np.arctan(np.gradient(ridge))[None]
        patches = fractal_noise(rng, width, height, height / 8, 2)
        tint = mix(far, middle, share) + 0.16 * (patches[..., None] - 0.5)
        scene.put(y > ridge, tint, slope + 0.5 * (patches - 0.5))

    if rng.random() < 0.45:
        _water(rng, scene, horizon + 0.03 * height, mix(sky_low, middle, 0.25), light)
    else:
        _field(rng, scene, horizon + 0.03 * height, ground, mix(ground, light, 0.55), accent)

    for _ in range(rng.integers(3, 9)):
        depth = rng.random() ** 1.6
        foot = horizon + height * (0.04 + 0.4 * depth)
        _tree(rng, scene, rng.uniform(0, width), foot, height * (0.1 + 0.3 * depth), dark, middle)
    return scene


def seascape(rng: np.random.Generator, width: int, height: int, colors: FloatArray) -> Scene:
    """A sea with the light of a low sun, sails and a shore; `colors` as for `landscape`."""
    sky_high, sky_low, far, middle, ground, dark, light, accent = colors
    x, y = pixel_grid(width, height)
    horizon = height * rng.uniform(0.32, 0.52)
    scene = _sky(rng, width, height, horizon, sky_high, sky_low, light)
    sun_x, sun_y = width * rng.uniform(0.2, 0.8), horizon - height * rng.uniform(0.05, 0.22)
    distance = np.hypot(x - sun_x, y - sun_y) / height
    scene.color = mix(scene.color, light, 0.75 * np.exp(-((distance / 0.16) ** 2)))
    scene.put(distance < rng.uniform(0.035, 0.06), mix(light, accent, 0.35), 0.0)

    cape = horizon - height * 0.12 * profile(rng, width, width / 3) * np.linspace(1.2, -0.3, width)
    if rng.random() < 0.5:
        cape = cape[::-1]
    scene.put((y > cape) * (y < horizon), mix(far, sky_low, 0.25), 0.15)

    ripple = fractal_noise(rng, width, height, height / 26, 5)
    water = gradient(
        np.stack([mix(sky_low, middle, 0.45), middle, far]), (y - horizon) / height / 0.6
    )
    water = water + 0.34 * (ripple[..., None] - 0.5)
    path = np.abs(x - sun_x) < height * 0.02 + 0.2 * np.abs(y - horizon)
    glint = path * smoothstep(0.5, 0.72, ripple)
    scene.put(y > horizon, mix(water, mix(light, accent, 0.2), glint), 0.25 * (ripple - 0.5))

    for _ in range(rng.integers(1, 6)):
        depth = rng.random() ** 2
        foot, size = horizon + height * (0.02 + 0.3 * depth), height * (0.07 + 0.22 * depth)
        left = rng.uniform(0.05, 0.95) * width
        sail = left + size * np.array([0, 0.03, 0.42]), foot - size * np.array([0.1, 1.1, 0.14])
        jib = left - size * np.array([0.04, 0.02, 0.3]), foot - size * np.array([0.12, 0.95, 0.12])
        hull = (
            left + size * np.array([-0.35, 0.5, 0.36, -0.24]),
            foot - size * np.array([0.09, 0.1, -0.04, -0.04]),
        )
        for (columns, rows), tint in ((sail, light), (jib, mix(light, accent, 0.5)), (hull, dark)):
            corners = np.stack([columns, rows], axis=1)
            scene.put(polygon_mask(corners, width, height), tint, 1.3)
    if rng.random() < 0.6:
        shore = height * (0.97 - 0.2 * profile(rng, width, width / 2) * np.linspace(0, 1.3, width))
        grain = fractal_noise(rng, width, height, height / 30, 3)
        sand = mix(ground, light, 0.5 * grain)
        scene.put(y > shore, sand, 0.2 * np.ones_like(grain))
    return scene


def _sky(
    rng: np.random.Generator,
    width: int,
    height: int,
    horizon: float,
    high: FloatArray,
    low: FloatArray,
    light: FloatArray,
) -> Scene:
    _, y = pixel_grid(width, height)
    clouds = fractal_noise(rng, width, height, height / 5, 2.2, octaves=5)
    drift = smooth_noise(rng, width, height, height / 3)
    color = mix(high, low, np.clip(y / horizon, 0, 1) + 0.25 * (drift - 0.5))
    threshold = rng.uniform(0.45, 0.62)
    color = mix(color, light, 0.8 * smoothstep(threshold, threshold + 0.2, clouds))
    return Scene(color, 1.6 * (drift - 0.5), np.zeros((height, width), int))


def _water(
    rng: np.random.Generator, scene: Scene, top: float, color: FloatArray, light: FloatArray
) -> None:
    height, width = scene.angle.shape
    _, y = pixel_grid(width, height)
    ripple = fractal_noise(rng, width, height, height / 40, 6)
    rows = np.clip(2 * top - y + height * 0.06 * (ripple - 0.5), 0, height - 1).astype(int)
    columns = np.broadcast_to(np.arange(width), rows.shape)
    surface = mix(scene.color[rows, columns], color, 0.35 + 0.3 * ripple)
    surface = mix(surface, light, 0.7 * smoothstep(0.68, 0.8, ripple))
    scene.put(y > top, surface, 0.2 * (ripple - 0.5))


def _field(
    rng: np.random.Generator,
    scene: Scene,
    top: float,
    ground: FloatArray,
    light: FloatArray,
    accent: FloatArray,
) -> None:
    height, width = scene.angle.shape
    x, y = pixel_grid(width, height)
    vanishing = width * rng.uniform(-0.2, 1.2)
    depth = np.maximum(y - top, 1) / height
    bearing = (x - vanishing) / width / depth
    rows = 0.5 + 0.5 * np.sin(bearing * rng.uniform(3, 7))
    patches = fractal_noise(rng, width, height, height / 12, 3)
    color = mix(ground, light, smoothstep(0.3, 0.8, 0.6 * rows + 0.5 * patches))
    specks = smooth_noise(rng, width, height, height / 70) * smooth_noise(
        rng, width, height, height / 9, 2
    )
    color = mix(color, accent, smoothstep(0.42, 0.5, specks + 0.1 * depth))
    scene.put(y > top, color, np.arctan2(depth * height, x - vanishing))


def _tree(
    rng: np.random.Generator,
    scene: Scene,
    x: float,
    foot: float,
    tall: float,
    dark: FloatArray,
    lit: FloatArray,
) -> None:
    height, width = scene.angle.shape
    columns, rows = pixel_grid(width, height)
    trunk = (np.abs(columns - x) < 0.03 * tall) & (rows < foot) & (rows > foot - 0.5 * tall)
    scene.put(trunk, dark * 0.7, np.pi / 2)
    poplar = rng.random() < 0.4
    spread = 0.16 if poplar else 0.32
    outline = blob(rng, 0, 0, 1, 0.25)
    corners = np.stack(
        [x + outline[:, 0] * spread * tall, foot - tall * (0.58 - 0.46 * outline[:, 1])], 1
    )
    leaves = fractal_noise(rng, width, height, tall / 5)
    side = (x - columns) / (spread * tall) + (foot - 0.6 * tall - rows) / tall
    shade = smoothstep(0.3, 0.8, 0.5 + 0.3 * side + (leaves - 0.5))
    sweep = np.pi / 2 + (leaves - 0.5) * (0.6 if poplar else 3)
    scene.put(polygon_mask(corners, width, height), mix(dark, lit, 0.8 * shade), sweep)
