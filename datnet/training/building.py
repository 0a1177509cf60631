"""Builds the parts of a training from its settings."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from lightning.pytorch import Trainer, seed_everything

from datnet import provenance
from datnet.data.datamodule import ContentStyleDataModule
from datnet.devices import keep_freed_memory
from datnet.errors import DatNetError
from datnet.evaluation.metrics import METRICS
from datnet.networks.vgg import VggEncoder
from datnet.objectives.base import Objective
from datnet.training.config import TrainConfig, objective_of
from datnet.training.initial_weights import begin_with
from datnet.training.module import StyleTransferModule
from datnet.training.own_paintings import show_paintings
from datnet.training.run_folder import RunFolder
from datnet.training.trainer import make_trainer
from datnet.zoo.configs import plain_values
from datnet.zoo.encoder import vgg_encoder
from datnet.zoo.instantiate import build_with_encoder
from datnet.zoo.network_file import NetworkDescription, read_checkpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A training that is ready to start.

    Attributes:
        config: The composed and resolved settings.
        data: The data module.
        folder: The run folder.
        checkpoint: The checkpoint to resume from; None for a fresh start.
        trainer: Lightning's trainer.
        module: The network with its objective.
        description: What the network is and how it is trained; the steps are added at the end.
    """

    config: TrainConfig
    data: ContentStyleDataModule
    folder: RunFolder
    checkpoint: Path | None
    trainer: Trainer
    module: StyleTransferModule
    description: NetworkDescription


def build_run(config: TrainConfig, data: ContentStyleDataModule, folder: RunFolder) -> Run:
    """Build the trainer and the network of a run.

    Args:
        config: The composed and resolved settings.
        data: The data module.
        folder: The run folder.

    Returns:
        The run, with the weights that it starts with unless it resumes from a checkpoint.

    Raises:
        DatNetError: If settings do not fit each other, this machine, the folder or the checkpoint.
    """
    checkpoint = folder.checkpoint(config.ckpt_path)
    resumed_step = read_checkpoint(checkpoint)[0] if checkpoint else 0
    check_steps_left(config, resumed_step)
    trainer = make_trainer(config, data, folder, resumed_step)
    if trainer.strategy.root_device.type == "cpu":
        keep_freed_memory()
    encoder = vgg_encoder(**cast(dict[str, Any], config.encoder))
    module = make_module(config, encoder)
    show_paintings(module.network, data)
    check_search_metric(config, module.objective)
    note_what_is_compared(module.objective, trainer)
    if checkpoint is not None:
        origin = RunFolder(checkpoint.absolute().parents[1]).recorded("init_from")
    elif config.init_from is not None:
        origin = begin_with(module.network, config.init_from, config.encoder)
        show_paintings(module.network, data)
    else:
        origin = None
    log.info(
        "%s with %s: step %d to %d in %s",
        config.name,
        config.encoder.arch,
        resumed_step,
        config.trainer.max_steps,
        folder.path,
    )
    begun_with = beginning(folder, checkpoint, resumed_step)
    description = describe(config, encoder, data, trainer, begun_with, origin)
    folder.check_same_training({"images_per_step": description.training["images_per_step"]})
    return Run(config, data, folder, checkpoint, trainer, module, description)


def make_module(config: TrainConfig, encoder: VggEncoder) -> StyleTransferModule:
    """Build the network and its objective; the initial weights depend only on the run's seed.

    Args:
        config: The composed and resolved settings.
        encoder: The frozen encoder, shared by network and objective.

    Returns:
        The module that Lightning trains.
    """
    seed_everything(config.seed, verbose=False)
    recipe = config.model.recipe
    return StyleTransferModule(
        build_with_encoder(config.model.network, lambda: encoder),
        build_with_encoder(objective_of(config), lambda: encoder),
        learning_rate=recipe.learning_rate,
        learning_rate_decay=recipe.learning_rate_decay,
        warmup_steps=recipe.warmup_steps or 0,
        warmup_learning_rate=recipe.warmup_learning_rate or 0.0,
        schedule=recipe.schedule,
        final_learning_rate=recipe.final_learning_rate,
        max_steps=config.trainer.max_steps,
        attention_gradient_clip=recipe.attention_gradient_clip,
        seed=config.seed,
        channels_last=config.channels_last,
    )


def check_steps_left(config: TrainConfig, resumed_step: int) -> None:
    """Check that steps remain to be trained after the checkpoint of another run.

    Otherwise that run's network would pass as trained with these settings.

    Args:
        config: The composed and resolved settings.
        resumed_step: Step of the checkpoint, 0 for a fresh start.

    Raises:
        DatNetError: If the checkpoint of another run has completed all steps.
    """
    if config.ckpt_path not in (None, "last") and resumed_step >= config.trainer.max_steps:
        raise DatNetError(
            f"ckpt_path={config.ckpt_path} has {resumed_step} steps and trainer.max_steps is "
            f"{config.trainer.max_steps}, which counts them: there would be no step to train. Set "
            "trainer.max_steps to more"
        )


def check_search_metric(config: TrainConfig, objective: Objective[Any]) -> None:
    """Check that finished runs will have the metric `search_metric`.

    Args:
        config: The composed and resolved settings.
        objective: The objective, whose terms are metrics.

    Raises:
        DatNetError: If not; lists the available metrics.
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


def note_what_is_compared(objective: Objective[Any], trainer: Trainer) -> None:
    """Warn if a split step differs from a step on all of its pairs in one batch.

    Args:
        objective: The objective, some of whose terms may compare pairs with each other.
        trainer: Lightning's trainer, for the number of processes and micro-batches.
    """
    compared = sorted(objective.compares_pairs & objective.weights.keys())
    parts = trainer.world_size * trainer.accumulate_grad_batches
    if compared and parts > 1 and trainer.is_global_zero:
        log.warning(
            "note: %s compares the pairs of one batch in one process with each other. A step has "
            "%d such batches here, which is another training than one batch of all its pairs",
            " and ".join(compared),
            parts,
        )


def beginning(folder: RunFolder, checkpoint: Path | None, step: int) -> dict[str, Any] | None:
    """Checkpoint of another run that this run started from.

    Args:
        folder: The run folder.
        checkpoint: The checkpoint to resume from; None for a fresh start.
        step: The checkpoint's step.

    Returns:
        The "checkpoint" (its last three path components) and its "steps"; None for a fresh start.
    """
    if checkpoint is None:
        return None
    if checkpoint.absolute().parent == folder.checkpoints.absolute():
        recorded: dict[str, Any] | None = folder.recorded("begun_with")
        return recorded
    return {"checkpoint": "/".join(checkpoint.absolute().parts[-3:]), "steps": step}


def describe(
    config: TrainConfig,
    encoder: VggEncoder,
    data: ContentStyleDataModule,
    trainer: Trainer,
    begun_with: dict[str, Any] | None,
    init_from: dict[str, Any] | None,
) -> NetworkDescription:
    """Describe the network and its training, without the number of steps done.

    Args:
        config: The composed and resolved settings.
        encoder: The frozen encoder.
        data: The data module.
        trainer: Lightning's trainer.
        begun_with: The checkpoint of another run that this one started from, see
            :func:`beginning`.
        init_from: The network whose weights the run started with, see
            :func:`~datnet.training.initial_weights.begin_with`.

    Returns:
        The description that is saved with the network.
    """
    plain = plain_values(config)
    settings = {  # file names only: the description is published, local folders mean nothing there
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
            **({"begun_with": begun_with} if begun_with else {}),
            **({"init_from": init_from} if init_from else {}),
            "objective": plain["objective"] or plain["model"]["objective"],
            "learning_rate": config.model.recipe.learning_rate,
            "learning_rate_decay": config.model.recipe.learning_rate_decay,
            "warmup_steps": config.model.recipe.warmup_steps,
            "warmup_learning_rate": config.model.recipe.warmup_learning_rate,
            "schedule": config.model.recipe.schedule,
            "final_learning_rate": config.model.recipe.final_learning_rate,
            "attention_gradient_clip": config.model.recipe.attention_gradient_clip,
            "gradient_clip": config.trainer.gradient_clip_val,
            "precision": config.trainer.precision,
            "weight_average": config.weight_average,
            "commit": provenance.commit(),
            "description": config.description,
        },
    )
