"""Memory of experiments, read in a process that has done nothing before."""

from __future__ import annotations

import json
import subprocess
import sys


def peak_in_new_process(module: str, *task: str | int | bool) -> int | None:
    """Bytes that ``python -m MODULE --peak TASK`` prints; None if it fails, for want of memory."""
    command = [sys.executable, "-m", module, "--peak", json.dumps(task)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(finished.stdout.splitlines()[-1]) if finished.returncode == 0 else None
