"""Where in the painting a click on the result came from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from datnet.images.saving import save_image
from datnet.stylize.attention import DEFAULT_SIZE
from datnet.stylize.attention_pictures import heat_over, marked
from datnet.stylize.page.uploads import read_upload
from datnet.stylize.stylizer import Stylizer


def origins(
    stylizer: Stylizer,
    photo: Path,
    painting: Path,
    size: int | None,
    place: Sequence[float],
    folder: Path,
) -> list[tuple[str, str]]:
    """Show where in the painting a point of the result attends to, at each level of attention.

    Args:
        stylizer: The network.
        photo: The uploaded photograph.
        painting: The uploaded painting.
        size: Shorter side of the result; None for that of the photograph. At most 512 is used.
        place: x and y of the point as fractions of the result.
        folder: An empty folder for the pictures.

    Returns:
        Files and captions.

    Raises:
        DatNetError: If an upload cannot be used, or the network has no attention.
    """
    photograph, _ = read_upload(photo, "photo", size or DEFAULT_SIZE)
    style, _ = read_upload(painting, "painting", size or DEFAULT_SIZE)
    side = min(size or min(photograph.size), DEFAULT_SIZE)
    attention = stylizer.attention(photograph, style, side)
    width, height = attention.photograph.size
    point = tuple(
        min(max(part, 0.0), 1 - 1e-6) * length
        for part, length in zip(place, (width, height), strict=True)
    )
    shown = []
    for number, level in enumerate(attention.levels):
        weights = level.weights([(point[0], point[1])])[0]
        y, x = np.unravel_index(weights.argmax(), weights.shape)
        center = ((int(x) + 0.5) * level.stride, (int(y) + 0.5) * level.stride)
        picture: Image.Image = marked(
            heat_over(attention.painting, weights, level.stride), center[0], center[1]
        )
        file = folder / f"{number}.png"
        save_image(picture, file)
        shown.append((str(file), f"{level.name}: {weights.max():.0%} at the ring"))
    return shown
