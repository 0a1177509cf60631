"""Signals, exit statuses and ranks of the processes of a training or sweep."""

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
"""Ctrl-C, preemption, a closed terminal, a limit on processor time, and the signals that Slurm can
send before a job's time limit. SIGUSR2 is used by submitit, which requeues the job itself. SIGQUIT
(Ctrl-\\) still ends a process at once."""

TIME_IS_UP = 124
"""Exit status of a training that a time limit ended before its last step, as `timeout` has it."""


def handle_stop_signals(
    handler: Callable[[int, FrameType | None], None],
) -> dict[signal.Signals, Any]:
    """Install a handler for all `STOP_SIGNALS`, except for SIGHUP if `nohup` set it to be ignored.

    Returns:
        The previous handlers, for :func:`restore_handlers`.
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
        exit_code: 128 + the signal's number if the process handled it, otherwise minus the number.
    """
    return shell_status(exit_code) in {128 + number for number in STOP_SIGNALS}


def shell_status(exit_code: int) -> int:
    """Convert minus a signal's number to 128 + the number, as shells do; keep other codes."""
    return exit_code if exit_code >= 0 else 128 - exit_code


def is_first_process() -> bool:
    """Whether this process trains alone or has rank 0 of several."""
    rank = getattr(rank_zero_only, "rank", None)  # set when Lightning is imported
    if rank is None:  # the variables that Lightning reads
        names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
        rank = next((int(os.environ[name]) for name in names if name in os.environ), 0)
    return rank == 0
