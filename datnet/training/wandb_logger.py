"""Weights & Biases, offline unless somebody is logged in."""

from __future__ import annotations

import os
import secrets

import wandb
from lightning.pytorch.loggers import WandbLogger

from datnet.config import TrainConfig, plain_values
from datnet.errors import DatNetError
from datnet.files import write_text
from datnet.training.run_folder import RunFolder

MODES = ("online", "offline", "disabled")


def wandb_mode(configured: str | None) -> str:
    """The mode of a run: as configured, else $WANDB_MODE, else online for who is logged in.

    Raises:
        DatNetError: If the configured mode is none.
    """
    mode = configured or os.environ.get("WANDB_MODE")
    if mode is None:
        return "online" if wandb.api.api_key else "offline"
    if mode not in MODES:
        raise DatNetError(f"logger.wandb.mode is {mode}; it can be {', '.join(MODES)}")
    return mode


def wandb_logger(config: TrainConfig, folder: RunFolder) -> WandbLogger:
    """A logger whose run is continued when the training is resumed.

    Args:
        config: The resolved configuration, which the run records.
        folder: Where the run's id is kept and wandb writes its files.
    """
    assert config.logger.wandb is not None
    id_file = folder.path / "wandb_id.txt"
    if not id_file.exists():
        write_text(id_file, secrets.token_hex(4))
    return WandbLogger(
        project=config.logger.wandb.project,
        entity=config.logger.wandb.entity,
        name=f"{config.name},seed={config.seed}",
        group=config.group,
        tags=list(config.tags),
        id=id_file.read_text().strip(),
        save_dir=folder.path,
        mode=wandb_mode(config.logger.wandb.mode),
        resume="allow",
        config=plain_values(config),
        job_type="train",
    )
