"""What all rows of a table share: its pictures, and what metrics prepare from them, once each."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from datnet.evaluation.measuring import ContentTarget, Metrics, StyleTarget
from datnet.evaluation.metrics import Metric, Picture
from datnet.images.kept import FirstThatFit, default_limit
from datnet.images.tensors import read_square

IMAGES_KEPT = 64
"""Number of decoded images that stay in memory: 200 MB at 512 × 512."""


class Targets:
    """The pictures of a table at one size, with everything that is computed from them alone.

    Features stay in memory as far as they fit. Those of VGG-16 for the metrics take 0.3 GB for a
    content of 512 × 512.

    Args:
        metrics: The metrics.
        size: Side of the squares in pixels.
        device: Where the metrics are.
        limit: Bytes that pictures and their features may take.
    """

    def __init__(
        self,
        metrics: Metrics,
        size: int,
        device: torch.device | str = "cpu",
        limit: int | None = None,
    ) -> None:
        self.metrics = metrics
        self.size = size
        self.device = device
        self._pictures = FirstThatFit[Path, Picture](
            default_limit(device) if limit is None else limit, lambda picture: picture.nbytes
        )
        self._styles: dict[tuple[Path, tuple[str, ...], bool], StyleTarget] = {}
        self._pixels = lru_cache(IMAGES_KEPT)(self._read)
        # Pairs come content by content.
        self._content = lru_cache(maxsize=1)(self._prepare_content)

    def picture(self, path: Path) -> Picture:
        """Return a picture as networks and metrics get it, ``(1, 3, size, size)``."""
        return self._pictures.get(path, lambda: self.metrics.picture(self._pixels(path)))

    def content(self, path: Path, metrics: Sequence[Metric]) -> tuple[Picture, ContentTarget]:
        """Return a content image and what metrics prepare from it."""
        return self._content(path, tuple(metrics))

    def style(self, path: Path, metrics: Sequence[Metric], embed: bool) -> StyleTarget:
        """Return what metrics prepare from a style image."""
        key = path, tuple(metric.key for metric in metrics), embed
        if key not in self._styles:  # 12 kB each, and 2 MB with the Gram distance
            target = self.metrics.style_target(self.picture(path), metrics, embed=embed)
            self._styles[key] = target
        return self._styles[key]

    def _read(self, path: Path) -> Tensor:
        return read_square(path, self.size).to(self.device)

    def _prepare_content(
        self, path: Path, metrics: tuple[Metric, ...]
    ) -> tuple[Picture, ContentTarget]:
        picture = self.picture(path)
        return picture, self.metrics.content_target(picture, metrics)
