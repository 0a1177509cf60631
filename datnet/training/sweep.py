"""Runs every job of a Hydra sweep in a fresh process.

Hydra runs the jobs of `datnet train -m` one after the other in one process, where they inherit each
other's process groups, loggers and random state, and where a job on several devices starts the
whole sweep again on each of them. Here, each job starts its own `datnet train` and waits for it:
nothing leaks, a job fails alone, and it can use several devices. This works with all of Hydra's
sweepers and launchers. The outcome of each job is written to a file, since launchers may run jobs
in other processes and on other machines.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from datnet.errors import DatNetError
from datnet.images.files import write_text
from datnet.training.config import TrainConfig
from datnet.training.overrides import quoted
from datnet.training.processes import (
    TIME_IS_UP,
    handle_stop_signals,
    is_first_process,
    restore_handlers,
    shell_status,
    was_asked_to_stop,
)
from datnet.training.run_folder import RunFolder

log = logging.getLogger(__name__)

LONGEST_FOLDER_NAME = 160
LESS_TELLING = ("trainer", "logger", "data", "sweep", "final_metrics", "checkpoint_every")
OUTCOMES = ".outcomes"


def run_job(config: TrainConfig) -> float:
    """Train the current job of the sweep in a fresh process.

    A finished job is skipped and an interrupted one is resumed. A job that still runs, because only
    the sweep was killed, is waited for.

    Args:
        config: The job's composed configuration.

    Returns:
        The job's `search_metric`, for searching sweepers; the worst value, infinity or minus
        infinity, if the job failed and in all processes of a job except the first.
    """
    hydra = HydraConfig.get()
    maximizes = str(hydra.sweeper.get("direction", "")).lower().endswith("maximize")
    worst = float("-inf" if maximizes else "inf")
    overrides = list(hydra.overrides.task)
    sweep_dir = Path(hydra.sweep.dir)
    name = folder_name(overrides)
    folder = RunFolder(sweep_dir / name)
    exit_code = 0 if _is_finished(folder, config) else _train(folder, overrides, sweep_dir.name)
    if was_asked_to_stop(exit_code):
        sys.exit(shell_status(exit_code))  # the whole sweep was asked to stop, not only this job
    if not is_first_process():  # Slurm starts one process for each GPU of the job
        return worst
    write_text(sweep_dir / OUTCOMES / f"{name}.json", json.dumps({"exit_code": exit_code}))
    if exit_code:
        log.error("job %s %s", name, "failed" if exit_code != TIME_IS_UP else "is not finished")
        return worst
    return folder.finished_metric(config.search_metric, worst)


def _is_finished(folder: RunFolder, config: TrainConfig) -> bool:
    """Whether the job is done, after waiting for any process that trains in its folder.

    Checked here because starting a process that finds nothing to do takes seconds.
    """
    try:
        folder.wait_until_free()
        finished = folder.is_finished(config)
    except DatNetError:
        return False  # the job's own process reports what is wrong
    if finished:
        log.info("%s is finished already", folder.path)
    return finished


def _train(folder: RunFolder, overrides: Sequence[str], group: str) -> int:
    """Run a job's process and return its exit code."""
    command = [
        *(sys.executable, "-m", "datnet.training"),
        *overrides,
        f"run_dir={quoted(str(folder.path))}",
        f"group={quoted(group)}",
        "ckpt_path=last",
    ]
    with subprocess.Popen(command) as process, passing_signals_to(process):
        return process.wait()


@contextmanager
def passing_signals_to(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Forward stop signals to a child process, which decides when to end.

    The terminal itself sends Ctrl-C to the child. Nothing is changed for launchers that run jobs in
    threads. The handler of submitit, whose signal is SIGUSR2, is called after the child has saved
    and ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    time_is_over = False

    def hand_on(number: int, frame: FrameType | None) -> None:
        nonlocal time_is_over
        time_is_over |= number == signal.SIGUSR2
        if number != signal.SIGINT:
            process.send_signal(number)

    before = handle_stop_signals(hand_on)
    try:
        yield
    finally:
        restore_handlers(before)
    requeue = before[signal.SIGUSR2]
    if time_is_over and callable(requeue):
        requeue(signal.SIGUSR2, None)


class SweepReport(Callback):
    """Prints a summary at the end of a sweep; Hydra calls it in the sweep's own process."""

    failed: bool = False
    """Whether a job of the sweep in this process failed."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Delete the outcomes of an earlier start of this sweep."""
        for outcome in (Path(config.hydra.sweep.dir) / OUTCOMES).glob("*.json"):
            outcome.unlink()

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Print the number of jobs done and the names of those that failed."""
        exit_codes = {
            outcome.stem: json.loads(outcome.read_text())["exit_code"]
            for outcome in sorted((Path(config.hydra.sweep.dir) / OUTCOMES).glob("*.json"))
        }
        failed = [name for name, code in exit_codes.items() if code]
        print(f"{len(exit_codes) - len(failed)} of {len(exit_codes)} jobs done")
        for name in failed:
            what = "not finished" if exit_codes[name] == TIME_IS_UP else "failed"
            print(f"{what}: {name} (the same command goes on with it)", file=sys.stderr)
        if len(exit_codes) > len(failed):
            print(f"compare them: datnet summarize {config.hydra.sweep.dir}")
        SweepReport.failed = bool(failed)


def refuse_several_sweeps() -> None:
    """Stop a sweep that torchrun or srun started several times.

    Raises:
        DatNetError: If this process is one of several.
    """
    for program, variable in (("torchrun", "WORLD_SIZE"), ("srun", "SLURM_STEP_NUM_TASKS")):
        if int(os.environ.get(variable, "1")) > 1:
            raise DatNetError(
                f"{program} would run the whole sweep {os.environ[variable]} times. Start `datnet "
                "train -m …` by itself: every job of it starts a process for each of its devices "
                "(trainer=ddp), and hydra/launcher=slurm hands the jobs to Slurm"
            )


def folder_name(overrides: Sequence[str]) -> str:
    """Name a job's folder after its overrides; the same job has the same name in every sweep.

    Paths, special characters and settings that exceed ``LONGEST_FOLDER_NAME`` are replaced by a
    digest at the end. Settings of :data:`LESS_TELLING` are dropped first.
    """
    settings = sorted(override.lstrip("+") for override in overrides)
    name = ",".join(settings)
    telling = [setting for setting in settings if "/" not in setting]
    for setting in sorted(telling, key=lambda each: not each.startswith(LESS_TELLING)):
        if len(",".join(telling)) > LONGEST_FOLDER_NAME:
            telling.remove(setting)
    plain = re.sub(r"[^\w.,=+-]", "_", ",".join(telling))
    if plain == name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
