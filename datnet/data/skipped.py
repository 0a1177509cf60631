"""Warns about image files that a training run could not use."""

from __future__ import annotations

import logging
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from datnet.data.pairs import Batch

log = logging.getLogger(__name__)


class SkippedFiles(Callback):
    """Warns about each unreadable file once, and about their number at the end.

    Attributes:
        reasons: Path of each unreadable file so far, to what is wrong with it.
    """

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Batch, batch_index: int
    ) -> None:
        """Warn about the unreadable files of a training batch."""
        self._warn(batch)

    def on_validation_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Batch, batch_index: int, *_: Any
    ) -> None:
        """Warn about the unreadable files of a validation batch."""
        self._warn(batch)

    def _warn(self, batch: Batch) -> None:
        for path, reason in batch.skipped:
            if path not in self.reasons:
                self.reasons[path] = reason
                log.warning("skipped %s: %s", path, reason)

    def on_fit_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Warn about the number of unreadable files."""
        if self.reasons:
            log.warning(
                "%d unreadable image files were replaced by others; repair or remove them",
                len(self.reasons),
            )
