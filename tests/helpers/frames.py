"""Frames of short videos, and what is measured on them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from datnet.stylize.clips.flicker import FlickerMeter


def texture(height: int, width: int, seed: int = 0, grain: int = 4) -> np.ndarray:
    """Smooth random colors with full contrast, uint8 (H, W, 3)."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (height // grain, width // grain, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


SCENE = texture(96, 128)


def pan(frames: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """A picture that moves by a pixel in every frame."""
    return [np.ascontiguousarray(SCENE[i : i + height, i : i + width]) for i in range(frames)]


def noisy(frames: list[np.ndarray], deviation: float, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [
        (frame + generator.normal(0, deviation, frame.shape)).clip(0, 255).round().astype(np.uint8)
        for frame in frames
    ]


def flicker_of(contents: list[np.ndarray], results: list[np.ndarray]) -> tuple[float, float] | None:
    meter = FlickerMeter()
    for content, result in zip(contents, results, strict=True):
        meter.add(content, result)
    return meter.measure()


def mean_difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


OBJECT = texture(16, 16, seed=5)


def static_scene(frames: int) -> list[np.ndarray]:
    """An object that moves quickly over a static background."""
    result = []
    for number in range(frames):
        frame = SCENE[:64, :96].copy()
        frame[24:40, 8 * number : 8 * number + 16] = OBJECT
        result.append(frame)
    return noisy(result, 3)
