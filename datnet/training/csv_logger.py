"""Logs all metrics to one CSV file that survives interruptions."""

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

    Lightning's own logger deletes earlier rows when a run is resumed; this one keeps the rows up to
    the checkpoint.

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
        """Empty: there is only one version."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Do nothing: the settings are in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add metrics to the row of a step.

        Args:
            metrics: Values by name.
            step: Index of the step, from 0, as Lightning counts; None means 0.
        """
        metrics = {key: value for key, value in metrics.items() if key != "epoch"}
        # Lightning gives the index of the last step; files give the number of steps done.
        self.rows.setdefault((step or 0) + 1, {}).update(metrics)

    @rank_zero_only
    def save(self) -> None:
        """Rewrite the file unless that was just done: Lightning asks at every row."""
        if time.monotonic() - self.written_at >= SECONDS_BETWEEN_WRITES:
            self.write()

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: Checkpoint) -> None:
        """Write the rows that a run resumed from this checkpoint will not log again."""
        self.write()

    def write(self) -> None:
        """Rewrite the file."""
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
        """Write the remaining rows."""
        self.write()
