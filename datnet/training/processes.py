"""What the processes of a training and of a sweep have in common."""

from __future__ import annotations

import signal

from lightning_utilities.core.rank_zero import rank_zero_only

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""Ctrl-C, preemption, and what Slurm can be told to send some time before a job's time is over."""


def is_first_process() -> bool:
    """Whether this process trains alone, or is the first of several that train together."""
    return getattr(rank_zero_only, "rank", 0) == 0  # Lightning sets it when it is imported
