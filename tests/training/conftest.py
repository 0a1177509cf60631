from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datnet.training.config import TrainConfig
from tests.helpers.small_run import composed

Settings = Callable[..., TrainConfig]


@pytest.fixture
def settings(small_overrides: list[str], tmp_path: Path) -> Settings:
    """Compose the configuration of a small training in tmp_path/run."""

    def make(*overrides: str) -> TrainConfig:
        return composed([*small_overrides, f"run_dir={tmp_path / 'run'}", *overrides])

    return make
