"""Scenes: color and brush direction at each position of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.painter.color import FloatArray, Mask
from experiments.painter.surface import pixel_grid

Window = tuple[slice, slice]
WHOLE: Window = np.s_[:, :]


@dataclass
class Scene:
    """A subject on a grid of pixels.

    Attributes:
        color: `(height, width, 3)` in [0, 1].
        angle: `(height, width)` direction of the strokes in radians.
        region: `(height, width)` number of the thing that is seen, 0 for the farthest.
    """

    color: FloatArray
    angle: FloatArray
    region: np.ndarray

    def put(
        self, mask: Mask, color: FloatArray, angle: FloatArray | float, at: Window = WHOLE
    ) -> None:
        """Places a thing in front of all others where `mask` is above one half.

        Args:
            mask: `(rows, columns)` of the window.
            color: Colors that broadcast with `(rows, columns, 3)`.
            angle: Directions that broadcast with the mask.
            at: Window of the scene, the whole of it unless told.
        """
        inside = mask > 0.5
        number = self.region.max() + 1
        np.copyto(self.color[at], color, where=inside[..., None], casting="same_kind")
        np.copyto(self.angle[at], angle, where=inside, casting="same_kind")
        np.copyto(self.region[at], number, where=inside)

    def window(self, x: float, y: float, reach: float) -> tuple[Window, FloatArray, FloatArray]:
        """The square about a point, for `put`, and the x and y of its pixels."""
        height, width = self.angle.shape
        columns, rows = pixel_grid(width, height)
        left, right = (int(np.clip(x + side, 0, width)) for side in (-reach, reach))
        top, bottom = (int(np.clip(y + side, 0, height)) for side in (-reach, reach))
        return np.s_[top:bottom, left:right], columns[:, left:right], rows[top:bottom]
