"""What is looked at before Hydra writes its own files, since its errors come with a traceback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from datnet.errors import DatNetError
from datnet.training.run_folder import make_writable


class WritableFolder(Callback):
    """Ends the process with one line where a run's or a sweep's folder cannot be written to."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Try the folder of a run."""
        make_writable_or_exit(Path(config.hydra.run.dir), "run_dir")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Try the folder of a sweep."""
        make_writable_or_exit(Path(config.hydra.sweep.dir), "sweep")


def make_writable_or_exit(folder: Path, setting: str) -> None:
    """See :func:`~datnet.training.run_folder.make_writable`."""
    try:
        make_writable(folder, setting)
    except DatNetError as error:
        sys.exit(f"error: {error}")  # Hydra makes warnings of all other exceptions
