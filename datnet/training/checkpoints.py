"""Checkpoints that survive a kill, a full disk, a damaged file and a shared cluster.

A checkpoint is written to a temporary file, flushed to disk and renamed; the one before it is kept
as previous.ckpt. A run resumes from the newest intact checkpoint.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from datnet.errors import DatNetError
from datnet.images.files import complete_or_absent
from datnet.zoo.run_files import LAST, PREVIOUS


class CheckpointFiles(TorchCheckpointIO):
    """Writes checkpoints atomically and keeps the previous one."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint.

        Args:
            checkpoint: What Lightning saves.
            path: The file.
            storage_options: Not used.

        Raises:
            DatNetError: If it cannot be written, as when the disk is full. The files that were
                there before are untouched.
        """
        path = Path(path)
        try:
            with complete_or_absent(path) as unfinished:
                with unfinished.open("wb") as file:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())
                if path.name == LAST and path.exists():
                    path.replace(path.with_name(PREVIOUS))
        except (OSError, RuntimeError) as error:
            # torch.save turns an OSError during writing into a RuntimeError about positions.
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            raise DatNetError(
                f"the checkpoint of step {checkpoint['global_step']} cannot be written to "
                f"{path.parent}: {cause}. The one before it is untouched: make room and go on "
                "with ckpt_path=last"
            ) from error


class StepCheckpoint(ModelCheckpoint):
    """Saves only after complete optimizer steps, never between two micro-batches of a step.

    After a resumption Lightning does not know which step it saved last. It would replace a
    checkpoint with one from the middle of an accumulation, which cannot be resumed exactly.
    """

    @property
    def state_key(self) -> str:
        """Key of the state, by file name: Lightning distinguishes instances only by interval."""
        return f"{type(self).__name__} {self.filename}"

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Save if a step is complete and a checkpoint is due."""
        if (batch_index + 1) % trainer.accumulate_grad_batches == 0:
            super().on_train_batch_end(trainer, module, outputs, batch, batch_index)


class FinalCheckpoint(Callback):
    """Saves after the last step, so that a finished run can be extended.

    Args:
        folder: The run's checkpoints.
        every: Steps between regular checkpoints.
    """

    def __init__(self, folder: Path, every: int) -> None:
        self.folder = folder
        self.every = every

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Save if the last step is complete and has no checkpoint."""
        complete = (batch_index + 1) % trainer.accumulate_grad_batches == 0
        if complete and trainer.global_step == trainer.max_steps and trainer.max_steps % self.every:
            trainer.save_checkpoint(self.folder / LAST, weights_only=False)
