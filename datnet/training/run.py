"""One training run from a composed configuration: what `datnet train` does."""

from __future__ import annotations

import errno
import json
import logging
import math
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from omegaconf import OmegaConf

from datnet import provenance
from datnet.data.datamodule import ContentStyleDataModule
from datnet.data.skipped import SkippedFiles
from datnet.devices import keep_freed_memory
from datnet.errors import DatNetError, require_extra
from datnet.evaluation.metrics import METRICS
from datnet.images.files import write_text
from datnet.networks.vgg import VggEncoder
from datnet.objectives.base import Objective
from datnet.training.callbacks import ImagePanel, StepProgressBar, Throughput
from datnet.training.checkpoint_files import LAST
from datnet.training.checkpoints import (
    CheckpointFiles,
    FinalCheckpoint,
    StepCheckpoint,
    Stopped,
    StopWhenAsked,
)
from datnet.training.config import TrainConfig, check, plain_values
from datnet.training.csv_logger import CsvLogger
from datnet.training.final_metrics import final_metrics
from datnet.training.module import StyleTransferModule
from datnet.training.run_folder import RunFolder
from datnet.training.weight_average import WeightAverage
from datnet.zoo.card import NetworkFile, model_card
from datnet.zoo.encoder import vgg_encoder
from datnet.zoo.instantiate import build, build_with_encoder
from datnet.zoo.network_file import (
    NetworkDescription,
    read_checkpoint,
    save_network,
)

log = logging.getLogger(__name__)

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def train(config: TrainConfig) -> float:
    """Train a network and write it to ``run_dir/network.safetensors``.

    A run that has reached its last step already is left as it is.

    Args:
        config: The composed and resolved configuration.

    Returns:
        The run's `search_metric`, by default the validation loss, behind the last step.

    Raises:
        DatNetError: If a setting is wrong, the folder holds another run or another process trains
            there, the loss is not finite, or a checkpoint cannot be written.
        Stopped: If a signal asked the training to stop; a checkpoint is written.
    """
    check(config)
    if config.logger.tensorboard:
        require_extra("tensorboard", "tensorboard", purpose="logger=tensorboard")
    data: ContentStyleDataModule = build(config.data)
    data.check()
    folder = RunFolder(Path(config.run_dir))
    with folder.reserved():
        folder.check_same_training({"image_fingerprints": data.fingerprints()})
        if folder.is_finished(config):
            log.info("%s is finished already; nothing to do", folder.path)
            return folder.finished_metric(config.search_metric)
        try:
            return fit(config, data, folder)
        finally:
            if config.logger.wandb is not None:
                from datnet.training.wandb_logger import close_wandb  # takes seconds to import

                close_wandb()


def fit(config: TrainConfig, data: ContentStyleDataModule, folder: RunFolder) -> float:
    """Train from the folder's checkpoint, or from the beginning, to the last step.

    Returns:
        The run's `search_metric` behind the last step.
    """
    checkpoint = folder.checkpoint(config.ckpt_path)
    resumed_step = read_checkpoint(checkpoint)[0] if checkpoint else 0
    trainer = make_trainer(config, data, folder, resumed_step)

    if trainer.strategy.root_device.type == "cpu":
        keep_freed_memory()
    encoder = vgg_encoder(**cast(dict[str, Any], config.encoder))
    seed_everything(config.seed, verbose=False)
    module = StyleTransferModule(
        build_with_encoder(config.model.network, lambda: encoder),
        build_with_encoder(config.model.objective, lambda: encoder),
        learning_rate=config.model.recipe.learning_rate,
        learning_rate_decay=config.model.recipe.learning_rate_decay,
        warmup_steps=config.model.recipe.warmup_steps or 0,
        warmup_learning_rate=config.model.recipe.warmup_learning_rate or 0.0,
        seed=config.seed,
        channels_last=config.channels_last,
    )
    check_search_metric(config, module.objective)
    log.info(
        "%s with %s: step %d to %d in %s",
        config.name,
        config.encoder.arch,
        resumed_step,
        config.trainer.max_steps,
        folder.path,
    )
    description = describe(config, encoder, data, trainer)
    folder.check_same_training({"images_per_step": description.training["images_per_step"]})
    if trainer.is_global_zero:
        write_text(folder.config, OmegaConf.to_yaml(config, resolve=True))
        write_text(folder.description, json.dumps(asdict(description), indent=2) + "\n")
    started = time.perf_counter()
    try:
        trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except Stopped:
        raise  # so do the other processes
    except Exception:
        if trainer.strategy.launcher is not None:  # they would wait for this one on their devices
            trainer.strategy.launcher.kill(signal.SIGKILL)
        raise
    loggers = trainer.loggers
    validated = trainer.global_step % config.trainer.val_check_interval == 0
    if not validated or "validation/loss" not in trainer.callback_metrics:  # resumed behind it
        trainer.loggers = []  # it would log behind the last step
        trainer.validate(module, datamodule=data, verbose=False)
    metrics = {
        name: float(value)
        for name, value in trainer.callback_metrics.items()
        if name.startswith("validation/")
    }
    if trainer.is_global_zero:
        behind_it = {
            "steps": trainer.global_step,
            "validation_loss": metrics["validation/loss"],
        }
        description = replace(description, training={**description.training, **behind_it})
        save_network(module.network, description, folder.network)
        write_text(folder.model_card, model_card(NetworkFile.read(folder.network)))
        if config.final_metrics:
            metrics |= final_metrics(module, data)
        for logger in loggers:
            logger.log_metrics(metrics, trainer.global_step - 1)
            logger.finalize("success")
        facts = {
            "steps": trainer.global_step,
            "metrics": metrics,
            "seconds_since_start_or_resume": round(time.perf_counter() - started, 1),
            "commit": provenance.commit(),
        }
        write_text(folder.finished, json.dumps(facts, indent=2) + "\n")
        log.info("wrote %s", folder.network)
    return metrics.get(config.search_metric, math.inf)  # processes beside the first lack final/


def check_search_metric(config: TrainConfig, objective: Objective[Any]) -> None:
    """Refuse a metric that no finished run will have.

    Raises:
        DatNetError: Naming those that there are.
    """
    metrics = [
        "validation/loss",
        *(f"validation/{term}" for term in objective.weights),
        *(f"final/{column.key}" for column in METRICS if config.final_metrics),
    ]
    if config.search_metric not in metrics:
        raise DatNetError(
            f"search_metric is {config.search_metric}; it can be {', '.join(metrics)}"
            + ("" if config.final_metrics else ", and final/… with final_metrics=true")
        )


def make_trainer(
    config: TrainConfig, data: ContentStyleDataModule, folder: RunFolder, resumed_step: int
) -> Trainer:
    """Lightning's Trainer with our loggers and callbacks.

    Epochs do not exist: pairs are an endless stream of which step t sees its own part.

    Raises:
        DatNetError: If the trainer's settings do not fit each other or this machine.
    """
    settings = plain_values(config.trainer)
    loggers: list[Logger] = [CsvLogger(folder.path / "metrics.csv", resumed_step)]
    if config.logger.wandb is not None:
        from datnet.training.wandb_logger import wandb_logger  # takes seconds to import

        loggers.append(wandb_logger(config, data, folder))
    if config.logger.tensorboard:
        loggers.append(TensorBoardLogger(folder.path, name="tensorboard", version=""))
    callbacks: list[Callback] = [
        StepCheckpoint(
            folder.checkpoints,
            filename=Path(LAST).stem,
            every_n_train_steps=config.checkpoint_every,
            enable_version_counter=False,
        ),
        FinalCheckpoint(folder.checkpoints, config.checkpoint_every),
        StopWhenAsked(folder.checkpoints),
        ImagePanel(folder.path / "images"),
        Throughput(),
        SkippedFiles(),
    ]
    if config.weight_average is not None:  # before all that save in the same moment
        callbacks.insert(0, WeightAverage(config.weight_average, data.late_from_step))
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
    if settings["enable_progress_bar"]:
        callbacks.append(StepProgressBar())
    settings["val_check_interval"] *= settings["accumulate_grad_batches"]
    try:
        return Trainer(
            **settings,
            max_epochs=-1,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            enable_model_summary=False,
            default_root_dir=folder.path,
            logger=loggers,
            callbacks=callbacks,
            plugins=[CheckpointFiles()],
        )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise DatNetError(f"these trainer settings cannot work here: {error}") from error


def describe(
    config: TrainConfig, encoder: VggEncoder, data: ContentStyleDataModule, trainer: Trainer
) -> NetworkDescription:
    """What the network is and how it is trained; its steps come later."""
    plain = plain_values(config)
    settings = {  # the file goes to other people, to whom folders of this machine say nothing
        key: Path(value).name if key.endswith("_dir") and value else value
        for key, value in plain["data"].items()
    }
    return NetworkDescription(
        name=config.name,
        network=plain["model"]["network"],
        encoder=plain["encoder"] | {"weights": encoder.weights},
        training={
            "images_per_step": settings["batch_size"]
            * trainer.world_size
            * trainer.accumulate_grad_batches,
            "seed": config.seed,
            "data": settings,
            "images": data.image_counts(),
            "image_fingerprints": data.fingerprints(),
            "objective": plain["model"]["objective"],
            "learning_rate": config.model.recipe.learning_rate,
            "learning_rate_decay": config.model.recipe.learning_rate_decay,
            "warmup_steps": config.model.recipe.warmup_steps,
            "warmup_learning_rate": config.model.recipe.warmup_learning_rate,
            "gradient_clip": config.trainer.gradient_clip_val,
            "precision": config.trainer.precision,
            "weight_average": config.weight_average,
            "commit": provenance.commit(),
            "description": config.description,
        },
    )


def quieten() -> None:
    """Silence what libraries say about themselves and no user can act on."""
    logging.getLogger("lightning.pytorch.utilities.rank_zero").setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*isinstance.treespec, LeafSpec.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*module.s. in eval mode.*",  # frozen encoders
        ".*`ModelCheckpoint.*",
        ".*lr_scheduler.step.*before `optimizer.step.*",
    ):
        warnings.filterwarnings("ignore", message=message)


@contextmanager
def exits_of_training(run_dir: Path | str) -> Iterator[None]:
    """End the process, with words and a status instead of a traceback, where a training ends early.

    Args:
        run_dir: The run's folder, for the words.
    """
    try:
        yield
    except Stopped as stopped:
        if stopped.exit_code:
            print(stopped, file=sys.stderr)
        sys.exit(stopped.exit_code)
    except DatNetError as error:
        # An error of a data loading process arrives with that process's traceback before it.
        message = str(error).rpartition("DatNetError: ")[2].strip()
        print(f"error: {message}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        print(
            f"error: {run_dir} cannot be written to: {error.strerror}. Checkpoints are untouched: "
            "make room and go on with ckpt_path=last",
            file=sys.stderr,
        )
        sys.exit(1)
