"""What the processes of a training and of a sweep have in common."""

from __future__ import annotations

import os
import signal

from lightning_utilities.core.rank_zero import rank_zero_only

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Ctrl-C, preemption, and what Slurm can be told to send some time before a job's time is over: the
last one is submitit's choice, which puts the job back into the queue itself."""


def is_first_process() -> bool:
    """Whether this process trains alone, or is the first of several that train together."""
    rank = getattr(rank_zero_only, "rank", None)  # Lightning sets it when it is imported
    if rank is None:  # from the same variables
        names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
        rank = next((int(os.environ[name]) for name in names if name in os.environ), 0)
    return rank == 0
