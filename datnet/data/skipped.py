"""Tells the user which image files a training run could not use."""

from __future__ import annotations

import logging
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from datnet.data.pairs import Batch

log = logging.getLogger(__name__)


class SkippedFiles(Callback):
    """Warns of each unreadable file once, when it is first met, and of their number at the end.

    Attributes:
        reasons: What is wrong with each unreadable file met so far, by its path.
    """

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Batch, batch_index: int
    ) -> None:
        """Warn of the unreadable files of a training batch."""
        self._warn(batch)

    def on_validation_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Batch, batch_index: int, *_: Any
    ) -> None:
        """Warn of the unreadable files of a validation batch."""
        self._warn(batch)

    def _warn(self, batch: Batch) -> None:
        for path, reason in batch.skipped:
            if path not in self.reasons:
                self.reasons[path] = reason
                log.warning("skipped %s: %s", path, reason)

    def on_fit_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Warn of the number of unreadable files."""
        if self.reasons:
            log.warning(
                "%d unreadable image files were replaced by others; mend or remove them",
                len(self.reasons),
            )
