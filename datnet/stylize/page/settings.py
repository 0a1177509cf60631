"""Settings of the page: they travel in the PNG of a result, and a dropped result restores them."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from datnet.images.errors import UnreadableImageError
from datnet.images.pictures import SETTINGS
from datnet.images.reading import decode

SIZES = {
    "256 (quick)": 256,
    "512": 512,
    "768": 768,
    "1024": 1024,
    "As the photo": None,
}
"""Labels on the page, and shorter sides in pixels."""

STROKES = {"As the painting": None, "Fine": 192, "Medium": 384, "Coarse": 768}
"""Labels on the page, and shorter sides of the painting in pixels."""

ATTENTION = {"Exact": "exact", "Fast": "fast"}
"""Labels on the page, and values of ``attention``."""

COLORS = {
    "The painting's": None,
    "The photo's (luminance)": "luminance",
    "Painting recolored first (histogram)": "histogram",
}
"""Labels on the page, and values of ``keep_colors``."""


@dataclass(frozen=True)
class Settings:
    """Values of the page's controls.

    Attributes:
        mix: Weight of the second painting in [0, 1].
        alpha: Strength in [0, 1].
        colors: A key of :data:`COLORS`.
        size: A key of :data:`SIZES`.
        attention: A key of :data:`ATTENTION`.
        strokes: A key of :data:`STROKES`.
        network: Name of the network on the page.
    """

    mix: float
    alpha: float
    colors: str
    size: str
    attention: str
    strokes: str
    network: str

    def as_text(self) -> str:
        """Return the settings as the text that a PNG carries."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def caption(self, seconds: float) -> str:
        """Describe a result in one line."""
        colors = "" if COLORS[self.colors] is None else f", {COLORS[self.colors]}"
        strokes = "" if STROKES[self.strokes] is None else f", {self.strokes.lower()} strokes"
        return (
            f"{self.network}, strength {self.alpha:g}, {self.size}{colors}{strokes} · "
            f"{seconds:.1f} s"
        )


def settings_of(path: Path, networks: Collection[str], most_pixels: int) -> Settings | None:
    """Read the settings of a result that this page has made.

    Args:
        path: An uploaded file.
        networks: Names of the networks of this page.
        most_pixels: Maximum number of pixels of the file.

    Returns:
        The settings; None if the file carries none, or none that this page could have.
    """
    try:
        text = decode(path, _text, max_pixels=most_pixels)
        values: Any = json.loads(text) if isinstance(text, str) else None
        settings = Settings(**values) if isinstance(values, dict) else None
    except (UnreadableImageError, ValueError, TypeError):
        return None
    if settings is None:
        return None
    numbers = (settings.alpha, settings.mix)
    known = (
        all(isinstance(each, int | float) and 0 <= each <= 1 for each in numbers)
        and settings.colors in COLORS
        and settings.size in SIZES
        and settings.attention in ATTENTION
        and settings.strokes in STROKES
        and settings.network in networks
    )
    return settings if known else None


def _text(image: Image.Image) -> Any:
    return image.info.get(SETTINGS) if image.format == "PNG" else None
