"""The typed shape of a training configuration, and its checks before anything slow happens.

Hydra puts :class:`TrainConfig` first in the defaults list, so a misspelt key or a value of the
wrong type is refused wherever it stands: on the command line or in a YAML file.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

import datnet
from datnet.errors import DatNetError
from datnet.zoo.instantiate import find_target

PACKAGED_CONFIGS = Path(datnet.__file__).parent / "conf"
CONFIG_DIR = (
    PACKAGED_CONFIGS if PACKAGED_CONFIGS.is_dir() else Path(datnet.__file__).parents[1] / "conf"
)
"""The Hydra tree: inside an installed wheel, or at the top of a checkout."""


SCHEDULES = ("decay", "cosine")


@dataclass
class RecipeConfig:
    """How the authors of a method trained it."""

    learning_rate: float = MISSING
    learning_rate_decay: float = MISSING
    """For schedule decay: learning rate t steps after the warm-up is
    learning_rate / (1 + learning_rate_decay · t)."""
    batch_size: int = MISSING
    steps: int = MISSING
    warmup_steps: int | None = None
    """Before that, the learning rate rises linearly to learning_rate in so many steps."""
    warmup_learning_rate: float | None = None
    """Where it rises from: the learning rate of step 0; null for 0."""
    gradient_clip: float | None = None
    """Gradients of a larger norm are scaled down to it; null scales none."""
    schedule: str = "decay"
    """decay, or cosine: after the warm-up half a cosine from learning_rate to final_learning_rate
    over the run's steps."""
    final_learning_rate: float = 0.0
    """For schedule cosine: where the learning rate ends."""
    attention_gradient_clip: float | None = None
    """Gradients of the attention modules, taken together, are scaled down to this norm where theirs
    is larger, before gradient_clip; null scales none."""


@dataclass
class ModelConfig:
    """A network, its objective and its recipe."""

    name: str = MISSING
    network: dict[str, Any] = field(default_factory=dict)
    objective: dict[str, Any] = field(default_factory=dict)
    recipe: RecipeConfig = field(default_factory=RecipeConfig)


@dataclass
class EncoderConfig:
    """The frozen encoder, see :class:`datnet.networks.vgg.VggEncoder`."""

    arch: str = MISSING
    weights: str | None = "imagenet"
    normalized: bool = True


@dataclass
class TrainerConfig:
    """Settings of :class:`lightning.Trainer`."""

    accelerator: str = "auto"
    devices: Any = 1
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    max_steps: int = MISSING
    accumulate_grad_batches: int = 1
    gradient_clip_val: float | None = None
    gradient_clip_algorithm: str = "norm"
    val_check_interval: int = 500
    log_every_n_steps: int = 10
    deterministic: bool = False
    enable_progress_bar: bool = True


@dataclass
class WandbConfig:
    """Weights & Biases."""

    project: str = "datnet"
    entity: str | None = None
    mode: str | None = None
    """online, offline or disabled; by default online when logged in, offline otherwise."""


@dataclass
class LoggerConfig:
    """Loggers beside metrics.csv, which is always written."""

    wandb: WandbConfig | None = None
    tensorboard: bool = False


@dataclass
class TrainConfig:
    """Everything that one training run depends on."""

    model: ModelConfig = field(default_factory=ModelConfig)
    objective: dict[str, Any] | None = None
    """In place of model.objective, for the first of two stages; null for the model's own."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    data: dict[str, Any] = field(default_factory=dict)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    logger: LoggerConfig = field(default_factory=LoggerConfig)
    experiment: Any = None
    name: str = MISSING
    run_dir: str = MISSING
    sweep: str = MISSING
    group: str | None = None
    tags: list[str] = field(default_factory=list)
    seed: int = 1
    ckpt_path: str | None = None
    init_from: str | None = None
    """A network whose weights a fresh run begins with: anything that ``--checkpoint`` takes."""
    checkpoint_every: int = 500
    keep_every: int | None = None
    channels_last: bool = False
    weight_average: float | None = None
    """Decay of the moving average of the weights that is validated and saved; null for none.

    It begins anew where ``data.late_from_step`` changes the crops.
    """
    final_metrics: bool = True
    """Whether to measure SSIM, PSNR, LPIPS, … on the validation pairs behind the last step."""
    search_metric: str = "validation/loss"
    """What a sweeper that searches minimises or maximises: one of the metrics in finished.json."""
    description: str = ""


ConfigStore.instance().store(name="train_schema", node=TrainConfig, provider="datnet")


def objective_of(config: TrainConfig) -> dict[str, Any]:
    """The node of the objective that a run minimizes."""
    return config.objective or config.model.objective


def plain_values(config: Any) -> dict[str, Any]:
    """A composed configuration, or a part of one, as dictionaries, lists and plain values."""
    values = OmegaConf.to_container(config, resolve=True)
    if not isinstance(values, dict):
        raise ValueError(f"a configuration is a mapping, not {type(values).__name__}")
    return {str(key): value for key, value in values.items()}


def flat_values(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, with keys such as "model.recipe.learning_rate"."""
    if not isinstance(node, dict):
        return {prefix: node}
    return {
        key: value
        for name, child in node.items()
        for key, value in flat_values(child, f"{prefix}.{name}" if prefix else str(name)).items()
    }


def check_arguments(key: str, node: Mapping[str, Any]) -> None:
    """Refuse settings that the class named by a node does not have, and name the nearest one.

    Args:
        key: Where the node stands in the configuration, for the message.
        node: The node.

    Raises:
        DatNetError: If the class does not exist or lacks one of the settings.
    """
    accepted = [
        name for name in inspect.signature(find_target(node)).parameters if name != "encoder"
    ]
    for name in node:
        if name == "_target_" or name in accepted:
            continue
        near = difflib.get_close_matches(str(name), accepted, n=1)
        hint = f"did you mean {key}.{near[0]}?" if near else f"it takes: {', '.join(accepted)}"
        raise DatNetError(f"{key}.{name} is no setting of {node['_target_']}; {hint}")


def check(config: TrainConfig) -> None:
    """Check a composed configuration before anything slow happens.

    Raises:
        DatNetError: Naming the setting at fault and what it can be.
    """
    from datnet.networks.vgg import CONVOLUTIONS_PER_BLOCK  # imports torch

    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise DatNetError(f"{', '.join(missing)} must be given: {missing[0]}=…")
    check_arguments("model.network", config.model.network)
    objective, objective_key = (
        objective_of(config),
        "objective" if config.objective else "model.objective",
    )
    check_arguments(objective_key, objective)
    check_arguments("data", config.data)
    if config.encoder.arch not in CONVOLUTIONS_PER_BLOCK:
        choices = " or ".join(CONVOLUTIONS_PER_BLOCK)
        raise DatNetError(f"encoder.arch is {config.encoder.arch}; it can be {choices}")
    positive = {
        "model.recipe.learning_rate": config.model.recipe.learning_rate,
        "trainer.max_steps": config.trainer.max_steps,
        "trainer.accumulate_grad_batches": config.trainer.accumulate_grad_batches,
        "trainer.val_check_interval": config.trainer.val_check_interval,
        "trainer.log_every_n_steps": config.trainer.log_every_n_steps,
        "checkpoint_every": config.checkpoint_every,
    }
    for key, value in positive.items():
        if value <= 0:
            raise DatNetError(f"{key} is {value}; it must be positive")
    if config.model.recipe.schedule not in SCHEDULES:
        raise DatNetError(
            f"model.recipe.schedule is {config.model.recipe.schedule}; "
            f"it can be {' or '.join(SCHEDULES)}"
        )
    if config.init_from == "":
        raise DatNetError("init_from must be given: init_from=RUN, a run of stage one")
    if config.init_from is not None and config.ckpt_path not in (None, "last"):
        raise DatNetError(
            "init_from begins a fresh run and ckpt_path=FILE goes on with another one; give one of "
            "them"
        )
    if config.weight_average is not None and not 0 <= config.weight_average < 1:
        raise DatNetError(
            f"weight_average is {config.weight_average}; it must be at least 0 and less than 1"
        )
    for key, number in {
        "model.recipe.learning_rate_decay": config.model.recipe.learning_rate_decay,
        "model.recipe.warmup_steps": config.model.recipe.warmup_steps,
        "model.recipe.warmup_learning_rate": config.model.recipe.warmup_learning_rate,
        "model.recipe.gradient_clip": config.model.recipe.gradient_clip,
        "model.recipe.final_learning_rate": config.model.recipe.final_learning_rate,
        "model.recipe.attention_gradient_clip": config.model.recipe.attention_gradient_clip,
        "trainer.gradient_clip_val": config.trainer.gradient_clip_val,
        "seed": config.seed,
        **{f"{objective_key}.{name}": value for name, value in objective.items()},
    }.items():
        if isinstance(number, int | float) and not 0 <= number < math.inf:
            raise DatNetError(f"{key} is {number}; it must be finite and not negative")
