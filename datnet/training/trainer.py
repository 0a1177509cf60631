"""Builds Lightning's Trainer with DatNet's loggers and callbacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from datnet.data.datamodule import ContentStyleDataModule
from datnet.data.skipped import SkippedFiles
from datnet.errors import DatNetError
from datnet.training.attention_panel import AttentionPanel
from datnet.training.callbacks import ImagePanel, StepProgressBar, Throughput
from datnet.training.checkpoints import CheckpointFiles, FinalCheckpoint, StepCheckpoint
from datnet.training.config import TrainConfig
from datnet.training.csv_logger import CsvLogger
from datnet.training.run_folder import RunFolder
from datnet.training.stopping import StopWhenAsked, TimeLimit
from datnet.training.weight_average import WeightAverage
from datnet.zoo.configs import plain_values
from datnet.zoo.run_files import LAST


def make_trainer(
    config: TrainConfig, data: ContentStyleDataModule, folder: RunFolder, resumed_step: int
) -> Trainer:
    """Build the trainer of a run.

    There are no epochs: pairs are an endless stream, and step t always gets the same part of it.

    Args:
        config: The composed and resolved settings.
        data: The data module.
        folder: The run folder.
        resumed_step: Step of the checkpoint to resume from, 0 for a fresh start.

    Returns:
        The trainer.

    Raises:
        DatNetError: If the trainer's settings do not fit each other or this machine.
    """
    settings = plain_values(config.trainer)
    settings["val_check_interval"] *= settings["accumulate_grad_batches"]
    max_time = settings.pop("max_time", None)
    try:
        return Trainer(
            **settings,
            max_epochs=-1,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_model_summary=False,
            default_root_dir=folder.path,
            logger=make_loggers(config, data, folder, resumed_step),
            callbacks=make_callbacks(config, data, folder, max_time),
            plugins=[CheckpointFiles()],
        )
    except (MisconfigurationException, RuntimeError, TypeError, ValueError) as error:
        raise DatNetError(f"these trainer settings cannot work here: {error}") from error


def make_loggers(
    config: TrainConfig, data: ContentStyleDataModule, folder: RunFolder, resumed_step: int
) -> list[Logger]:
    """Build the logger of metrics.csv and those that the settings add.

    Args:
        config: The composed and resolved settings.
        data: The data module, whose images wandb records.
        folder: The run folder.
        resumed_step: Step of the checkpoint to resume from, 0 for a fresh start.

    Returns:
        The loggers.
    """
    csv_logger = CsvLogger(folder.path / "metrics.csv", resumed_step)
    loggers: list[Logger] = [csv_logger]
    if config.logger.wandb is not None:
        from datnet.training.wandb_logger import wandb_logger  # takes seconds to import

        loggers.append(wandb_logger(config, data, folder, csv_logger.rows))
    if config.logger.tensorboard:
        loggers.append(TensorBoardLogger(folder.path, name="tensorboard", version=""))
    return loggers


def make_callbacks(
    config: TrainConfig, data: ContentStyleDataModule, folder: RunFolder, max_time: Any
) -> list[Callback]:
    """Build the callbacks, in the order in which they run after a step.

    Args:
        config: The composed and resolved settings.
        data: The data module.
        folder: The run folder.
        max_time: See :class:`~datnet.training.stopping.TimeLimit`; None for no limit.

    Returns:
        The callbacks.
    """
    callbacks: list[Callback] = []
    if config.weight_average is not None:  # before the callbacks that save after the same step
        callbacks.append(WeightAverage(config.weight_average, data.late_from_step))
    callbacks += [
        StepCheckpoint(
            folder.checkpoints,
            filename=Path(LAST).stem,
            every_n_train_steps=config.checkpoint_every,
            enable_version_counter=False,
        ),
        FinalCheckpoint(folder.checkpoints, config.checkpoint_every),
    ]
    if max_time is not None:  # before StopWhenAsked, which does the stopping
        callbacks.append(TimeLimit(max_time))
    callbacks += [
        StopWhenAsked(folder.checkpoints),
        ImagePanel(folder.path / "images"),
        *([AttentionPanel(folder.path / "images")] if config.attention_panel else []),
        Throughput(),
        SkippedFiles(),
    ]
    if config.keep_every:
        callbacks.append(
            StepCheckpoint(
                folder.checkpoints,
                filename="step_{step:06d}",
                auto_insert_metric_name=False,
                every_n_train_steps=config.keep_every,
                save_top_k=-1,
            )
        )
    if config.trainer.enable_progress_bar:
        callbacks.append(StepProgressBar())
    return callbacks
