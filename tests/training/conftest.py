from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from datnet.training.config import CONFIG_DIR, TrainConfig

Settings = Callable[..., TrainConfig]


@pytest.fixture
def settings(small_overrides: list[str], tmp_path: Path) -> Settings:
    """Compose the configuration of a small training as `datnet train` does."""

    def make(*overrides: str) -> TrainConfig:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            config = compose("train", [*small_overrides, f"run_dir={tmp_path / 'run'}", *overrides])
        OmegaConf.resolve(config)
        return config  # type: ignore[return-value]

    return make
