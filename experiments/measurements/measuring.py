"""Peak memory of experiments, measured in a new process."""

from __future__ import annotations

import json
import subprocess
import sys


def peak_in_new_process(module: str, *task: str | int | bool) -> int | None:
    """Run ``python -m MODULE --peak TASK`` and return the bytes that it prints.

    Args:
        module: A module that understands ``--peak``.
        task: Passed as JSON.

    Returns:
        Peak memory in bytes; None if the process fails, for lack of memory.
    """
    command = [sys.executable, "-m", module, "--peak", json.dumps(task)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(finished.stdout.splitlines()[-1]) if finished.returncode == 0 else None
