"""Ends a training before its last step on a signal or time limit, with the right exit status."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from datnet.errors import DatNetError
from datnet.training.processes import TIME_IS_UP, handle_stop_signals, restore_handlers
from datnet.zoo.run_files import LAST

log = logging.getLogger(__name__)


class Stopped(Exception):  # noqa: N818  (nothing went wrong)
    """Raised when a signal or a time limit ends the training before its last step.

    Attributes:
        exit_code: 128 + the signal's number, as shells and schedulers expect; `TIME_IS_UP` after a
            time limit; 0 in the other processes of a training on several devices.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class TimeLimit(Timer):
    """Stops the training after a time, counted from the start of this process.

    Lightning's own timer counts across resumptions, so a run that it ended could not be continued
    with the same command. It also stops in the middle of an accumulation.

    Args:
        duration: "DD:HH:MM:SS", or a mapping such as ``{"hours": 12}``.

    Raises:
        DatNetError: If it is neither.
    """

    def __init__(self, duration: Any) -> None:
        try:
            super().__init__(duration, verbose=False)
        except (AttributeError, MisconfigurationException, TypeError, ValueError) as error:
            raise DatNetError(
                f"trainer.max_time is {duration}; write DD:HH:MM:SS, such as 00:12:00:00 for 12 "
                "hours"
            ) from error

    def on_fit_start(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Do not check the time here, so that at least one step is done."""

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Check the time if a step is complete."""
        if (batch_index + 1) % trainer.accumulate_grad_batches == 0:
            super().on_train_batch_end(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return no state: a resumed run has the full time again."""
        return {}


class StopWhenAsked(Callback):
    """Saves a checkpoint and ends the training after the step in which a stop was requested.

    A stop is requested by a signal, or by a time limit or anything else that sets
    ``trainer.should_stop``. All processes of a training stop after the same step. A second Ctrl-C
    ends at once. After a preemption Slurm requeues the job itself; after SIGUSR1
    (``--signal=SIGUSR1@120``: the time limit is near) ``scontrol requeue`` does.

    Args:
        folder: The run's checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: signal.Signals | None = None
        self.before: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Replace Lightning's signal handlers, which would stop between any two batches.

        After the last step Lightning restores the handlers of before its own.

        Args:
            trainer: Lightning's trainer, whose launcher passes signals to the other processes.
            module: Not used.

        Raises:
            KeyboardInterrupt: From the handler, at a second Ctrl-C.
        """

        def remember(number: int, frame: FrameType | None) -> None:
            if number == signal.SIGINT and self.asked:
                raise KeyboardInterrupt
            self.asked = signal.Signals(number)
            launcher = trainer.strategy.launcher
            if launcher is not None and number != signal.SIGINT:
                launcher.kill(number)  # the terminal sends Ctrl-C to all processes itself
            if trainer.is_global_zero:
                log.info("%s: stopping after this step", self.asked.name)

        self.before = handle_stop_signals(remember)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_index: int
    ) -> None:
        """Stop if a step is complete and any process was asked to stop.

        Raises:
            Stopped: If so, after a checkpoint was saved.
        """
        if (batch_index + 1) % trainer.accumulate_grad_batches:
            return
        signaled = trainer.strategy.reduce_boolean_decision(self.asked is not None, all=False)
        cut_short = trainer.should_stop and trainer.global_step < trainer.max_steps
        if not (signaled or cut_short):
            return
        trainer.save_checkpoint(self.folder / LAST, weights_only=False)
        if not trainer.is_global_zero:
            raise Stopped("", 0)
        job = os.environ.get("SLURM_JOB_ID")
        if self.asked == signal.SIGUSR1 and job is not None:
            requeue(job)
        raise Stopped(
            f"stopped at step {trainer.global_step} of {trainer.max_steps}; go on with the same "
            "command and ckpt_path=last",
            128 + (self.asked or signal.SIGTERM) if signaled else TIME_IS_UP,
        )

    def on_exception(
        self, trainer: Trainer, module: LightningModule, exception: BaseException
    ) -> None:
        """Restore the signal handlers where Lightning does not tear down."""
        restore_handlers(self.before)


def requeue(job: str) -> None:
    """Requeue a Slurm job; log an error if that fails."""
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        log.error("the job could not be put back into Slurm's queue: %s", error)
