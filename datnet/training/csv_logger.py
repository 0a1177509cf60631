"""All logged numbers in one CSV file that survives interruptions."""

from __future__ import annotations

import csv
import math
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from datnet.images.files import complete_or_absent

SECONDS_BETWEEN_WRITES = 30


class CsvLogger(Logger):
    """Writes one row per step to a CSV file.

    Lightning's own logger deletes the rows of the first part when a run is resumed; this one keeps
    those up to the checkpoint.

    Args:
        path: The file.
        resumed_step: Step of the checkpoint that the run resumes from, 0 for a fresh run.
    """

    def __init__(self, path: Path, resumed_step: int = 0) -> None:
        super().__init__()
        self.path = path
        self.rows: dict[int, dict[str, Any]] = {}
        self.written_at = -math.inf
        if resumed_step and path.exists():
            with path.open(newline="") as file:
                for row in csv.DictReader(file):
                    step = int(row.pop("step"))
                    if step <= resumed_step:
                        self.rows[step] = {key: value for key, value in row.items() if value}

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "csv"

    @property
    def version(self) -> str:
        """There is one version."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """The settings stand in config.yaml already."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add numbers to the row of a step."""
        metrics = {key: value for key, value in metrics.items() if key != "epoch"}
        # Lightning counts from 0 the step that has just been done; files say how many are done.
        self.rows.setdefault((step or 0) + 1, {}).update(metrics)

    @rank_zero_only
    def save(self) -> None:
        """Write the file anew, unless that was just done: Lightning asks for it at every row."""
        if time.monotonic() - self.written_at >= SECONDS_BETWEEN_WRITES:
            self.write()

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: Checkpoint) -> None:
        """Write what a run that is killed and resumed from here will not log again."""
        self.write()

    def write(self) -> None:
        """Write the file anew."""
        if not self.rows:
            return
        names = sorted({name for row in self.rows.values() for name in row})
        with (
            complete_or_absent(self.path) as unfinished,
            unfinished.open("w", newline="") as file,
        ):
            writer = csv.DictWriter(file, ["step", *names])
            writer.writeheader()
            writer.writerows({"step": step, **row} for step, row in sorted(self.rows.items()))
        self.written_at = time.monotonic()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is left."""
        self.write()
