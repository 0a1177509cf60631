"""Checkpoints that nothing can spoil: not a kill, a full disk, a damaged file or a shared cluster.

A checkpoint is written to a temporary file, brought to the disk and renamed; the one before it is
kept beside it as previous.ckpt. A run goes on from the newest that is whole.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from datnet.errors import DatNetError
from datnet.images.files import complete_or_absent
from datnet.training.checkpoint_files import LAST, PREVIOUS
from datnet.training.processes import STOP_SIGNALS

log = logging.getLogger(__name__)


class Stopped(Exception):  # noqa: N818  (nothing went wrong)
    """The training was asked to stop; its checkpoint is written.

    Attributes:
        exit_code: 128 + the signal's number, as shells and schedulers understand it; 0 in the
            helper processes of a training on several devices.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class CheckpointFiles(TorchCheckpointIO):
    """Writes checkpoints whole or not at all, and keeps the last but one."""

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
            # Of an OSError while it writes, torch.save makes a RuntimeError about positions.
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            raise DatNetError(
                f"the checkpoint of step {checkpoint['global_step']} cannot be written to "
                f"{path.parent}: {cause}. The one before it is untouched: make room and go on "
                "with ckpt_path=last"
            ) from error


class StepCheckpoint(ModelCheckpoint):
    """Saves behind optimisation steps only, never between two batches of one step.

    Lightning forgets over a resumption which step it saved last, and would replace a checkpoint
    with one from the middle of an accumulation, from which a run cannot go on exactly.
    """

    @property
    def state_key(self) -> str:
        """By the files' name: Lightning tells two of them apart by their intervals alone."""
        return f"{type(self).__name__} {self.filename}"

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Save if a step is complete and it is time."""
        if (batch_index + 1) % trainer.accumulate_grad_batches == 0:
            super().on_train_batch_end(trainer, module, outputs, batch, batch_index)


class FinalCheckpoint(Callback):
    """Saves behind the last step, from where a finished run can be prolonged.

    Args:
        folder: The run's checkpoints.
        every: Steps between the checkpoints that are saved anyway.
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


class StopWhenAsked(Callback):
    """Saves a checkpoint and ends the training behind the step in which a signal came.

    All processes of a training stop behind the same step. A second Ctrl-C ends at once. Slurm's
    own preemption puts a job back into its queue; where it sends SIGUSR1 instead
    (``--signal=SIGUSR1@120``: the time is nearly over) the job is put back by ``scontrol requeue``.

    Args:
        folder: The run's checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: signal.Signals | None = None
        self.before: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Take the signals over from Lightning, which would stop between any two batches."""

        def remember(number: int, frame: FrameType | None) -> None:
            if number == signal.SIGINT and self.asked:
                raise KeyboardInterrupt
            self.asked = signal.Signals(number)
            launcher = trainer.strategy.launcher
            if launcher is not None and number != signal.SIGINT:
                launcher.kill(number)  # Ctrl-C reaches the other processes by itself
            if trainer.is_global_zero:
                log.info("%s: stopping behind this step", self.asked.name)

        self.before = {number: signal.signal(number, remember) for number in STOP_SIGNALS}

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Stop if a step is complete and any process was asked to.

        Raises:
            Stopped: Then.
        """
        if (batch_index + 1) % trainer.accumulate_grad_batches:
            return
        if not trainer.strategy.reduce_boolean_decision(self.asked is not None, all=False):
            return
        trainer.save_checkpoint(self.folder / LAST, weights_only=False)
        if not trainer.is_global_zero:
            raise Stopped("", 0)
        job = os.environ.get("SLURM_JOB_ID")
        if self.asked == signal.SIGUSR1 and job is not None:
            requeue(job)
        raise Stopped(
            f"stopped at step {trainer.global_step}; go on with the same command and "
            "ckpt_path=last",
            128 + (self.asked or signal.SIGTERM),
        )

    def teardown(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        """Give the signals back."""
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}


def requeue(job: str) -> None:
    """Put a Slurm job back into its queue."""
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        log.error("the job could not be put back into Slurm's queue: %s", error)
