"""A small training's configuration and what it logs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from datnet.training.config import TrainConfig
from datnet.zoo.configs import CONFIG_DIR


def composed(overrides: Sequence[str]) -> TrainConfig:
    """The configuration as `datnet train` composes it."""
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose("train", list(overrides))
    OmegaConf.resolve(config)
    return config  # type: ignore[return-value]


def rows(folder: Path) -> list[dict[str, str]]:
    """A run's metrics.csv."""
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))
