"""The folder of one training run: what it holds, and whether a new start may use it.

config.yaml             the resolved settings
checkpoints/last.ckpt   the state to resume from, rewritten every `checkpoint_every` steps
metrics.csv             all logged numbers
images/                 content | style | result at every validation
network.safetensors     the trained network, written at the end
model_card.md           what it is, for people
finished.json           steps, seconds and last metrics, written last of all
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from datnet.config import TrainConfig, plain_values
from datnet.errors import DatNetError

# What may differ between the parts of a run that was interrupted and resumed, or prolonged.
OPERATIONAL = (
    "run_dir",
    "ckpt_path",
    "sweep",
    "group",
    "tags",
    "experiment",
    "description",
    "logger",
    "checkpoint_every",
    "keep_every",
    "trainer",
    "data.num_workers",
    "data.content_dir",
    "data.style_dir",
    "data.validation_content_dir",
    "data.validation_style_dir",
    "data.licence",
    "model.recipe.steps",
)


class RunFolder:
    """The files of one run.

    Args:
        path: The run's folder; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.checkpoints = path / "checkpoints"
        self.last_checkpoint = self.checkpoints / "last.ckpt"
        self.network = path / "network.safetensors"
        self.model_card = path / "model_card.md"
        self.finished = path / "finished.json"

    def finished_steps(self) -> int | None:
        """Steps of the finished training; None if there is none."""
        if not (self.finished.exists() and self.network.exists()):
            return None
        return int(json.loads(self.finished.read_text())["steps"])

    def check_same_settings(self, config: TrainConfig) -> None:
        """Refuse a folder that holds a run with other settings.

        Raises:
            DatNetError: Naming the settings that differ.
        """
        if not self.config.exists():
            return
        there = _flat(plain_values(OmegaConf.load(self.config)))
        here = _flat(plain_values(config))
        different = [
            f"{key} was {there.get(key)} and is {here.get(key)}"
            for key in sorted(there.keys() | here.keys())
            if there.get(key) != here.get(key) and not key.startswith(OPERATIONAL)
        ]
        if different:
            raise DatNetError(
                f"{self.path} holds a run with other settings ({'; '.join(different)}). "
                "Choose another run_dir=…, or remove that folder"
            )

    def checkpoint(self, ckpt_path: str | None) -> Path | None:
        """The checkpoint that a start with ``ckpt_path`` resumes from.

        Args:
            ckpt_path: None for a fresh start, "last" for the run's own last checkpoint (a fresh
                start if there is none yet), or a path.

        Raises:
            DatNetError: If a path does not exist, or if a fresh start would overwrite a run.
        """
        if ckpt_path == "last":
            return self.last_checkpoint if self.last_checkpoint.exists() else None
        if ckpt_path is not None:
            if not Path(ckpt_path).is_file():
                raise DatNetError(f"ckpt_path={ckpt_path} does not exist")
            return Path(ckpt_path)
        if self.last_checkpoint.exists():
            raise DatNetError(
                f"{self.path} holds an unfinished or shorter run. Continue it with "
                "ckpt_path=last, choose another run_dir=…, or remove that folder"
            )
        return None


def checkpoint_step(path: Path) -> int:
    """Optimisation steps behind a checkpoint.

    Raises:
        DatNetError: If the file is no checkpoint.
    """
    try:
        return int(
            torch.load(path, map_location="cpu", weights_only=True, mmap=True)["global_step"]
        )
    except Exception as error:  # damaged zip files raise many kinds
        raise DatNetError(f"{path} is damaged or no checkpoint: {error}") from error


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {prefix: node}
    return {
        key: value
        for name, child in node.items()
        for key, value in _flat(child, f"{prefix}.{name}" if prefix else str(name)).items()
    }
