"""Checks before Hydra writes its own files, since its errors come with a traceback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from datnet.errors import DatNetError
from datnet.training.run_folder import make_writable


class WritableFolder(Callback):
    """Exits with a one-line message if the folder of a run or sweep cannot be written to."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check the folder of a run."""
        make_writable_or_exit(Path(config.hydra.run.dir), "run_dir")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Check the folder of a sweep."""
        make_writable_or_exit(Path(config.hydra.sweep.dir), "sweep")


def make_writable_or_exit(folder: Path, setting: str) -> None:
    """Call :func:`~datnet.training.run_folder.make_writable`; exit with a message if it fails.

    Args:
        folder: The folder.
        setting: The setting that gives the folder, for the message.

    Raises:
        SystemExit: If the folder cannot be written to.
    """
    try:
        make_writable(folder, setting)
    except DatNetError as error:
        sys.exit(f"error: {error}")  # Hydra turns all other exceptions into warnings
