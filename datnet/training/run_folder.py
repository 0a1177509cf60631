"""The folder of a training run: its files, and whether a new start may use it."""

from __future__ import annotations

import inspect
import json
import logging
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from datnet.errors import DatNetError
from datnet.training.checkpoint_files import damage, newest_whole_checkpoint
from datnet.training.config import TrainConfig
from datnet.training.processes import is_first_process
from datnet.zoo.configs import flat_values, plain_values
from datnet.zoo.instantiate import find_target
from datnet.zoo.run_files import RunFiles

log = logging.getLogger(__name__)

# Settings that may change when a run is resumed or extended: where it runs, when it stops, how
# often it is validated and what is shown. The weights do not depend on them.
OPERATIONAL = (
    "run_dir",
    "ckpt_path",
    "sweep",
    "group",
    "tags",
    "experiment",
    "description",
    "final_metrics",
    "search_metric",
    "logger",
    "checkpoint_every",
    "keep_every",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.num_nodes",
    "trainer.strategy",
    "trainer.max_steps",
    "trainer.max_time",
    "trainer.val_check_interval",
    "trainer.log_every_n_steps",
    "trainer.deterministic",
    "trainer.enable_progress_bar",
    "trainer.inference_mode",
    "trainer.benchmark",
    "trainer.profiler",
    "trainer.detect_anomaly",
    "data.num_workers",
    "data.content_dir",
    "data.style_dir",
    "data.validation_content_dir",
    "data.validation_style_dir",
    "data.licence",
    "model.recipe.steps",
)


class RunFolder(RunFiles):
    """The files of one run, and the checks before they are used.

    Args:
        path: The run folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.lock = FileLock(path / ".lock")

    def holds_training(self) -> bool:
        """Whether a training from the beginning would overwrite a network or checkpoint."""
        return self.network.exists() or any(self.checkpoints.glob("*.ckpt"))

    def finished_steps(self) -> int | None:
        """Steps of the finished training; None if there is none."""
        if not (self.finished.exists() and self.network.exists()):
            return None
        return int(json.loads(self.finished.read_text())["steps"])

    def finished_metric(self, name: str, missing: float = math.inf) -> float:
        """Return a metric after the last step of a finished training.

        Args:
            name: Such as "validation/loss".
            missing: Returned if the training does not have the metric.

        Returns:
            The metric's value.
        """
        facts = json.loads(self.finished.read_text())
        return float(facts.get("metrics", {}).get(name, missing))

    def is_finished(self, config: TrainConfig) -> bool:
        """Whether the folder holds this training with all its steps.

        Raises:
            DatNetError: If it holds a run with other settings.
        """
        self.check_same_settings(config)
        return (self.finished_steps() or 0) >= config.trainer.max_steps

    def check_same_settings(self, config: TrainConfig) -> None:
        """Check that the folder holds no run with other settings.

        Raises:
            DatNetError: If it does; names the settings that differ.
        """
        if not (self.config.exists() and self.holds_training()):
            return
        there = flat_values(plain_values(OmegaConf.load(self.config)))
        here = flat_values(plain_values(config))
        # With a cosine schedule all learning rates depend on the run's length.
        fixed = ["trainer.max_steps"] if config.model.recipe.schedule == "cosine" else []
        for key in there.keys() ^ here.keys():  # one of the two is of another version of DatNet
            (here if key in there else there)[key] = default_of(key, config)
        different = [
            f"{key} was {there[key]} and is {here[key]}"
            for key in sorted(there)
            if there[key] != here[key] and (key in fixed or not is_operational(key))
        ]
        if different:
            raise DatNetError(
                f"{self.path} holds a run with other settings ({'; '.join(different)}). "
                "Choose another run_dir=…, or remove that folder"
            )

    def check_same_training(self, facts: Mapping[str, Any]) -> None:
        """Check that the folder holds no run with other images or another number of them per step.

        Args:
            facts: Values in the "training" of description.json that are not settings.

        Raises:
            DatNetError: If it does; names the value that differs.
        """
        if not (self.description.exists() and self.holds_training()):
            return
        there = json.loads(self.description.read_text(encoding="utf-8"))["training"]
        for name, here in facts.items():
            if there.get(name, here) != here:
                raise DatNetError(
                    f"{self.path} holds a run of another training ({name.replace('_', ' ')}: "
                    f"{there[name]} there, {here} here). Choose another run_dir=…, or remove that "
                    "folder; ckpt_path=FILE begins with a checkpoint of it"
                )

    def recorded(self, name: str) -> Any:
        """Return a value of "training" in description.json; None if it is missing."""
        if not self.description.exists():
            return None
        return json.loads(self.description.read_text(encoding="utf-8"))["training"].get(name)

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Lock the folder against other trainings; the lock is released if the process is killed.

        Raises:
            DatNetError: If another process trains here, or the folder cannot be written to.
        """
        if not is_first_process():  # the first of several processes holds the lock for all
            yield
            return
        make_writable(self.path, "run_dir")
        if self.checkpoints.exists():
            make_writable(self.checkpoints, "run_dir")
        try:
            self.lock.acquire(blocking=False)
        except Timeout as error:
            raise DatNetError(
                f"another process trains in {self.path}. Wait for it or choose another run_dir=…"
            ) from error
        except OSError as error:
            raise not_writable(Path(self.lock.lock_file), error, "run_dir") from error
        try:
            yield
        finally:
            self.lock.release()

    def wait_until_free(self) -> None:
        """Wait until no process trains in this folder; log the wait."""
        if not is_first_process():
            return
        make_writable(self.path, "sweep")
        try:
            self.lock.acquire(blocking=False)
        except Timeout:
            log.info("waiting for another process that trains in %s", self.path)
            self.lock.acquire()
        self.lock.release()

    def checkpoint(self, ckpt_path: str | None) -> Path | None:
        """Find the checkpoint that a start with ``ckpt_path`` resumes from.

        Args:
            ckpt_path: None for a fresh start, "last" for the run's newest intact checkpoint (a
                fresh start if there is none yet), or a path.

        Returns:
            The checkpoint; None for a fresh start.

        Raises:
            DatNetError: If a path does not exist or is damaged, or if a fresh start would overwrite
                a run.
        """
        if ckpt_path == "last":
            newest = newest_whole_checkpoint(self.checkpoints)
            if newest is None and self.network.exists():
                raise DatNetError(
                    f"{self.network} is of a shorter run, whose checkpoints are gone: it cannot be "
                    "continued. Choose another run_dir=…, or remove that folder"
                )
            return newest
        if ckpt_path is not None:
            path = Path(ckpt_path)
            if not path.is_file():
                raise DatNetError(f"ckpt_path={ckpt_path} does not exist")
            if reason := damage(path):
                raise DatNetError(f"ckpt_path={ckpt_path} is damaged: {reason}")
            return path
        if self.holds_training():
            raise DatNetError(
                f"{self.path} holds an unfinished or shorter run. Continue it with "
                "ckpt_path=last, choose another run_dir=…, or remove that folder"
            )
        return None


def default_of(key: str, config: TrainConfig) -> Any:
    """What a setting is where a configuration lacks it.

    Args:
        key: Its full name, such as "model.network.resize".
        config: Names the classes of network, objective and data.

    Returns:
        The default of the class that takes it, or of the schema; None if neither has one.
    """
    for node in ("model.network", "model.objective", "data"):
        if key.startswith(f"{node}."):
            target = find_target(OmegaConf.select(cast(Any, config), node))
            parameter = inspect.signature(target).parameters.get(key.removeprefix(f"{node}."))
            if parameter is None or parameter.default is inspect.Parameter.empty:
                return None
            default = parameter.default
            return list(default) if isinstance(default, tuple) else default
    return OmegaConf.select(OmegaConf.structured(TrainConfig), key)


def is_operational(key: str) -> bool:
    """Whether a setting may change when a run is resumed, since no weight depends on it."""
    return any(key == name or key.startswith(f"{name}.") for name in OPERATIONAL)


def make_writable(folder: Path, setting: str) -> None:
    """Create a folder unless it exists, and check that a file can be written there.

    Args:
        folder: The folder.
        setting: The setting that gives the folder, for the message.

    Raises:
        DatNetError: If it cannot be created or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as trial:  # has no name where the system allows it
            trial.write(b"\0")
    except OSError as error:
        raise not_writable(folder, error, setting) from error


def not_writable(path: Path, error: OSError, setting: str) -> DatNetError:
    """Return an error that says what to do about a path that cannot be written to.

    Args:
        path: The file or folder.
        error: Its cause.
        setting: The setting that gives the folder.

    Returns:
        The error to raise.
    """
    reason = "a file has this name" if isinstance(error, FileExistsError) else error.strerror
    return DatNetError(
        f"{path} cannot be written to: {reason}. Choose another folder with {setting}=…, or start "
        "in a folder that you may write to"
    )
