"""What the processes of a training and of a sweep have in common."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_only

STOP_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGXCPU,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
"""Ctrl-C, preemption, a closed terminal, a limit on processor time, and what Slurm can be told to
send some time before a job's time is over: the last one is submitit's choice, which puts the job
back into the queue itself. SIGQUIT (Ctrl-\\) is left to end a process at once."""

TIME_IS_UP = 124
"""Exit status of a training that a time limit ended before its last step, as of `timeout`."""


def handle_stop_signals(
    handler: Callable[[int, FrameType | None], None],
) -> dict[signal.Signals, Any]:
    """Let a function handle all of `STOP_SIGNALS`, except a SIGHUP that `nohup` tells us to ignore.

    Returns:
        The handlers before, for :func:`restore_handlers`.
    """
    return {
        number: signal.signal(number, handler)
        for number in STOP_SIGNALS
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN
    }


def restore_handlers(before: dict[signal.Signals, Any]) -> None:
    """Undo :func:`handle_stop_signals`."""
    for number, handler in before.items():
        signal.signal(number, handler)


def was_asked_to_stop(exit_code: int) -> bool:
    """Whether a process ended because of a stop signal.

    Args:
        exit_code: 128 + the signal's number if the process handled it, else minus the number.
    """
    return shell_status(exit_code) in {128 + number for number in STOP_SIGNALS}


def shell_status(exit_code: int) -> int:
    """What a shell makes of minus a signal's number: 128 + that; other codes as they are."""
    return exit_code if exit_code >= 0 else 128 - exit_code


def is_first_process() -> bool:
    """Whether this process trains alone, or is the first of several that train together."""
    rank = getattr(rank_zero_only, "rank", None)  # Lightning sets it when it is imported
    if rank is None:  # from the same variables
        names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
        rank = next((int(os.environ[name]) for name in names if name in os.environ), 0)
    return rank == 0
