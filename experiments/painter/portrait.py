"""A head and shoulders."""

from __future__ import annotations

import numpy as np

from experiments.painter.color import WHITE, FloatArray, mix, smoothstep
from experiments.painter.noise import fractal_noise
from experiments.painter.scene import Scene
from experiments.painter.surface import pixel_grid


def portrait(rng: np.random.Generator, width: int, height: int, colors: FloatArray) -> Scene:
    """Head and shoulders.

    Args:
        rng: Source of the pose.
        width: Columns.
        height: Rows.
        colors: `(9, 3)`: background, its second color, lit skin, shaded skin, hair, dark,
            clothes, their second color, lips.
    """
    wall, second, lit, shaded, hair, _, clothes, trim, lips = colors
    x, y = pixel_grid(width, height)
    size = min(width, height)
    turn = rng.choice([-1.0, 1.0]) * rng.uniform(0.1, 0.28)  # to which side the head looks
    middle_x, middle_y = width * rng.uniform(0.46, 0.54), height * rng.uniform(0.38, 0.44)
    u = (x - middle_x) / (size * 0.19)
    v = (y - middle_y) / (size * 0.26)

    split = fractal_noise(rng, width, height, size / 3) + 0.5 * np.sign(turn) * u / 3
    scene = Scene(
        mix(wall, second, smoothstep(0.45, 0.6, split)),
        np.pi / 2 + (split - 0.5) * 1.5,
        np.zeros((height, width), int),
    )
    fall = np.arctan2(v, u)
    if rng.random() < 0.6:
        locks = (np.abs(u) / 1.5) ** 2.2 + (np.abs(v + 0.05) / 1.45) ** 2.6 < 1
        scene.put(locks, hair, fall + np.pi / 2)
    shoulders = v > 1.35 + 0.2 * np.abs(u) ** 1.4 / (1 + 0.25 * np.abs(u))
    folds = fractal_noise(rng, width, height, size / 7, 0.5)
    scene.put(shoulders, mix(clothes, trim, smoothstep(0.45, 0.62, folds)), np.pi / 2 - 0.4 * u)
    neck = (np.abs(u) < 0.42 + 0.05 * np.abs(v - 1.1)) & (v > 0.5) & (v < 1.75 - u**2)
    scene.put(neck, mix(mix(lit, shaded, 0.55), shaded, (u * turn < 0)), np.pi / 2)

    head = (np.abs(u) / (1 - 0.24 * np.clip(v, 0, 1))) ** 2.3 + np.abs(v) ** 2.3 < 1
    side = np.sign(turn) * (u + turn)
    skin = mix(lit, shaded, smoothstep(0.15, 0.35, -side + 0.12 * np.sin(4 * v)))
    cheeks = ((np.abs(u + turn) - 0.5) / 0.25) ** 2 + ((v - 0.3) / 0.2) ** 2
    skin = mix(skin, lips, 0.3 * np.exp(-cheeks))
    scene.put(head, skin, fall + np.pi / 2)

    _face(scene, u, v, turn, colors)
    fringe = v < -0.5 - 0.35 * np.sign(turn) * u + 0.35 * u**2 + 0.06 * np.sin(9 * u)
    cap = (np.abs(u) / 1.13) ** 2.2 + (np.abs(v + 0.06) / 1.12) ** 2.2 < 1
    scene.put(cap & fringe, hair, fall + np.pi / 2)
    return scene


def _face(scene: Scene, u: FloatArray, v: FloatArray, turn: float, colors: FloatArray) -> None:
    """Eyes, brows, nose and mouth, in coordinates where the head is about the unit circle."""
    _, _, lit, shaded, hair, dark, _, _, lips = colors
    eye_y, gap = -0.08, 0.4
    for sign in (-1, 1):
        center = sign * gap + 0.6 * turn
        socket = ((u - center) / 0.27) ** 2 + ((v - eye_y) / 0.13) ** 2 < 1
        scene.put(socket, mix(shaded, dark, 0.35), 0.0)
        white = ((u - center) / 0.22) ** 2 + ((v - eye_y - 0.01) / 0.085) ** 2 < 1
        scene.put(white, mix(lit, WHITE, 0.5), 0.0)
        iris = ((u - center - 0.3 * turn) / 0.085) ** 2 + ((v - eye_y) / 0.085) ** 2 < 1
        scene.put(iris, dark, 0.0)
        brow = np.abs(v - eye_y + 0.25 - 0.5 * (u - center) ** 2) < 0.04
        scene.put(brow & (np.abs(u - center) < 0.28), mix(hair, dark, 0.6), 0.1 * sign)
    # the nose is shading only: it has no outline of its own
    away = np.abs(u - 0.6 * turn - turn * 0.5 * np.clip(v + 0.1, 0, 1))
    bridge = (away < 0.035 + 0.07 * np.clip(v, 0, 1)) & (v > -0.2) & (v < 0.34)
    light = mix(shaded, lit, 0.2 + 0.8 * (np.sign(turn) * (u + turn) > 0))
    np.copyto(scene.color, light, where=bridge[..., None])
    nostrils = (np.abs(np.abs(u - 0.9 * turn) - 0.08) < 0.055) & (np.abs(v - 0.36) < 0.03)
    np.copyto(scene.color, mix(shaded, dark, 0.6), where=nostrils[..., None])
    mouth_x = u - 0.75 * turn
    fullness = 0.075 * np.clip(1 - (mouth_x / 0.3) ** 2, 0, 1)
    mouth = np.abs(v - 0.6 + 0.03 * np.cos(9 * mouth_x)) < fullness
    scene.put(mouth, lips, 0.0)
    scene.put(mouth & (np.abs(v - 0.595) < 0.012), dark, 0.0)
