"""Runs every job of a Hydra sweep in a fresh process.

Hydra runs the jobs of `datnet train -m` one after the other inside one process, where they inherit
each other's process groups, loggers and random state, and where a job on several devices starts
the whole sweep anew on each of them. So a job of ours only starts `datnet train` for itself and
waits for it: nothing leaks, it may fail alone, and it can use several devices. This works with any
of Hydra's sweepers and launchers.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

from datnet.training.run_folder import RunFolder

log = logging.getLogger(__name__)

LONGEST_FOLDER_NAME = 160

exit_codes: dict[str, int] = {}
"""Of the jobs of this process's sweep, by their folders' names."""


def run_job() -> float | None:
    """Train what the current job of the sweep says, in a fresh process.

    A job that has finished before is not repeated, one that was interrupted is resumed.

    Returns:
        The validation loss, for sweepers that search; None without validation, infinity if the job
        failed.
    """
    hydra = HydraConfig.get()
    overrides = list(hydra.overrides.task)
    sweep_dir = Path(hydra.sweep.dir)
    name = folder_name(overrides)
    folder = RunFolder(sweep_dir / name)
    command = [
        *(sys.executable, "-m", "datnet.training.run"),
        *overrides,
        f"run_dir={quoted(str(folder.path))}",
        f"group={quoted(sweep_dir.name)}",
        "ckpt_path=last",
    ]
    exit_codes[name] = subprocess.run(command, check=False).returncode
    if exit_codes[name]:
        log.error("job %s failed", name)
        return float("inf")
    loss = json.loads(folder.finished.read_text())["validation_loss"]
    return None if loss is None else float(loss)


def report() -> int:
    """Say how the sweep went, if there was one.

    Returns:
        The exit code of the whole: 1 if a job failed.
    """
    if not exit_codes:
        return 0
    failed = [name for name, code in exit_codes.items() if code]
    print(f"{len(exit_codes) - len(failed)} of {len(exit_codes)} jobs done")
    for name in failed:
        print(f"failed: {name} (the same command goes on with it)", file=sys.stderr)
    return 1 if failed else 0


def folder_name(overrides: Sequence[str]) -> str:
    """Name a job's folder by its overrides, the same for the same job in any sweep.

    Paths, odd characters and the beginning of long names are left to a digest at the end.
    """
    settings = sorted(override.lstrip("+") for override in overrides)
    name = ",".join(settings)
    short = ",".join(setting for setting in settings if "/" not in setting)
    plain = re.sub(r"[^\w.,=+-]", "_", short)[-LONGEST_FOLDER_NAME:]
    if plain == name:
        return name
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def quoted(value: str) -> str:
    """A value in Hydra's override syntax, whatever characters it has."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
