from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from datnet.config import CONFIG_DIR, TrainConfig

Settings = Callable[..., TrainConfig]


@pytest.fixture(scope="session")
def small_overrides(pictures: Path, encoder_file: Path) -> list[str]:
    """A training of seconds, with a random encoder and generated pictures."""
    return [
        f"encoder.weights={encoder_file}",
        "encoder.normalized=false",
        "data=coco_wikiart",
        f"data.content_dir={pictures / 'content'}",
        f"data.style_dir={pictures / 'style'}",
        "data.short_side=null",
        "data.crop_size=32",
        "data.batch_size=2",
        "data.num_workers=0",
        "data.validation_pairs=1",
        "trainer=cpu",
        "trainer.enable_progress_bar=false",
        "trainer.log_every_n_steps=1",
        "trainer.val_check_interval=100",
    ]


@pytest.fixture
def settings(small_overrides: list[str], tmp_path: Path) -> Settings:
    """Compose the configuration of a small training as `datnet train` does."""

    def make(*overrides: str) -> TrainConfig:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            config = compose("train", [*small_overrides, f"run_dir={tmp_path / 'run'}", *overrides])
        OmegaConf.resolve(config)
        return config  # type: ignore[return-value]

    return make
