"""The schema of a training configuration, and its checks before anything slow happens.

Hydra puts :class:`TrainConfig` first in the defaults list, so a misspelled key or a value of the
wrong type is rejected both on the command line and in a YAML file. Ranges and choices, which
Hydra's types cannot express, are given by `Annotated` and checked by :func:`check`. The nodes of
networks, objectives and data are checked against the signatures of their classes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Annotated, Any, cast, get_args, get_type_hints

from annotated_types import Ge, Gt, Lt, MaxLen, MinLen
from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from datnet.errors import DatNetError, require_extra
from datnet.images.remote import is_remote
from datnet.training.trainer_settings import check_not_ours, converted_trainer, devices_of
from datnet.zoo.configs import flat_values, plain_values
from datnet.zoo.instantiate import converted_settings
from datnet.zoo.values import converted, one_of

NotNegative = Annotated[float, Ge(0)]
Count = Annotated[int, Gt(0)]
Name = Annotated[str, MinLen(1)]


@dataclass
class RecipeConfig:
    """Training settings published by the authors of a method."""

    learning_rate: Annotated[float, Gt(0)] = MISSING
    learning_rate_decay: NotNegative = MISSING
    """For schedule decay: t steps after the warm-up the learning rate is
    learning_rate / (1 + learning_rate_decay · t)."""
    batch_size: Count = MISSING
    steps: Count = MISSING
    warmup_steps: Annotated[int, Ge(0)] | None = None
    """Steps in which the learning rate rises linearly to learning_rate; null for no warm-up."""
    warmup_learning_rate: NotNegative | None = None
    """Learning rate of step 0, where the warm-up starts; null for 0."""
    gradient_clip: NotNegative | None = None
    """Maximum norm of the gradients, which are scaled down to it; null for no clipping."""
    schedule: Annotated[str, one_of("decay", "cosine")] = "decay"
    """cosine: half a cosine from learning_rate after the warm-up to final_learning_rate at the
    run's last step."""
    final_learning_rate: NotNegative = 0.0
    """For schedule cosine: the learning rate at the end."""
    attention_gradient_clip: NotNegative | None = None
    """Maximum joint norm of the attention modules' gradients, clipped before gradient_clip; null
    for no clipping."""
    whole_styles: bool = False
    """Default of ``data.whole_styles``."""


@dataclass
class ModelConfig:
    """A network, its objective and its recipe."""

    name: Name = MISSING
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
    devices: Annotated[Any, devices_of] = 1
    num_nodes: Count = 1
    strategy: str = "auto"
    precision: str = "32-true"
    max_steps: Count = MISSING
    accumulate_grad_batches: Count = 1
    gradient_clip_val: NotNegative | None = None
    gradient_clip_algorithm: Annotated[str, one_of("norm", "value")] = "norm"
    val_check_interval: Count = 500
    log_every_n_steps: Count = 10
    deterministic: bool = False
    enable_progress_bar: bool = True


@dataclass
class WandbConfig:
    """Weights & Biases."""

    project: Name = "datnet"
    entity: Name | None = None
    mode: Annotated[str, one_of("online", "offline", "disabled")] | None = None
    """online, offline or disabled; by default online when logged in, offline otherwise."""


@dataclass
class LoggerConfig:
    """Loggers in addition to metrics.csv, which is always written."""

    wandb: WandbConfig | None = None
    tensorboard: bool = False


@dataclass
class TrainConfig:
    """All settings of one training run."""

    model: ModelConfig = field(default_factory=ModelConfig)
    objective: dict[str, Any] | None = None
    """Replaces model.objective, for the first of two stages; null for the model's own."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    data: dict[str, Any] = field(default_factory=dict)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    logger: LoggerConfig = field(default_factory=LoggerConfig)
    experiment: Any = None
    name: Name = MISSING
    run_dir: str = MISSING
    sweep: Name = MISSING
    group: str | None = None
    tags: list[Annotated[str, MinLen(1), MaxLen(64)]] = field(default_factory=list)
    seed: Annotated[int, Ge(0), Lt(2**32)] = 1
    ckpt_path: str | None = None
    init_from: str | None = None
    """A network whose weights a fresh run starts with: anything that ``--checkpoint`` takes."""
    checkpoint_every: Count = 500
    keep_every: Annotated[int, Ge(0)] | None = None
    channels_last: bool = False
    weight_average: Annotated[float, Ge(0), Lt(1)] | None = None
    """Decay of the moving average of the weights that is validated and saved; null for none.

    It restarts where ``data.late_from_step`` changes the crops.
    """
    final_metrics: bool = True
    """Whether to measure SSIM, PSNR, LPIPS, … on the validation pairs after the last step."""
    attention_panel: bool = False
    """Whether to show attention and channel gates of the panel's pairs at every validation."""
    search_metric: str = "validation/loss"
    """The metric in finished.json that a searching sweeper minimizes or maximizes."""
    description: str = ""


ConfigStore.instance().store(name="train_schema", node=TrainConfig, provider="datnet")


def objective_of(config: TrainConfig) -> dict[str, Any]:
    """Return the node of the objective that a run minimizes."""
    return config.objective or config.model.objective


def is_path(key: str) -> bool:
    """Whether a setting is a path, judged by its name."""
    name = key.rpartition(".")[2]
    return name.endswith(("_dir", "_path")) or key in ("encoder.weights", "init_from")


def check(config: TrainConfig) -> None:
    """Check a composed configuration before anything slow happens, and convert its values.

    Raises:
        DatNetError: Naming the setting at fault and what it can be.
    """
    check_own_settings(config)
    check_classes(config)


def check_own_settings(config: TrainConfig) -> None:
    """The part of :func:`check` that needs neither torch nor Lightning.

    Raises:
        DatNetError: Naming the setting at fault and what it can be.
    """
    resolve(config)
    missing = sorted(OmegaConf.missing_keys(config))
    if config.init_from == "":
        missing.append("init_from")
    if missing:
        raise DatNetError(f"{', '.join(missing)} must be given: {missing[0]}=…")
    values = plain_values(config)
    check_not_ours(values["trainer"])
    if config.init_from is not None and config.ckpt_path not in (None, "last"):
        raise DatNetError(
            "init_from begins a fresh run and ckpt_path=FILE goes on with another one; give one of "
            "them"
        )
    for key, value in flat_values(values).items():
        if is_path(key) and isinstance(value, str):
            _put(config, key, expanded_path(key, value))
    for key, value in _converted_fields("", TrainConfig, plain_values(config)).items():
        _put(config, key, value)
    if values["logger"]["tensorboard"]:
        require_extra("tensorboard")


def check_classes(config: TrainConfig) -> None:
    """The part of :func:`check` that imports what the configuration names.

    Raises:
        DatNetError: Naming the setting at fault and what it can be.
    """
    values = plain_values(config)
    encoder = {"_target_": "datnet.zoo.encoder.vgg_encoder"}
    converted_settings("encoder", encoder, values["encoder"])
    for key in ("model.network", "model.objective", "objective", "data"):
        if OmegaConf.select(cast(Any, config), key) is None:
            continue
        node = plain_values(OmegaConf.select(cast(Any, config), key))
        settings = {name: value for name, value in node.items() if name != "_target_"}
        for name, value in converted_settings(key, node, settings).items():
            is_number = isinstance(value, int | float)
            if key.endswith("objective") and is_number and not 0 <= value < math.inf:
                raise DatNetError(f"{key}.{name} is {value}; it must be finite and not negative")
            _put(config, f"{key}.{name}", value)
    for name, value in converted_trainer(values["trainer"]).items():
        _put(config, f"trainer.{name}", value)


def resolve(config: TrainConfig) -> None:
    """Replace all ${…} by their values.

    Raises:
        DatNetError: If one has no value, such as an unset environment variable.
    """
    try:
        plain_values(config)  # whose errors name the key
        OmegaConf.resolve(cast(Any, config))
    except OmegaConfBaseException as error:
        words = str(error).splitlines()[0].split("raised while resolving interpolation: ")[-1]
        raise DatNetError(f"{error.full_key}: {words.strip(chr(34))}") from error


def expanded_path(key: str, value: str) -> str:
    """Expand ~ in a path to the home folder.

    Args:
        key: The setting, for the message.
        value: A path, or a URL, which is returned unchanged.

    Returns:
        The expanded path.

    Raises:
        DatNetError: If the value is empty, for example because a shell variable is not set.
    """
    if not value.strip():
        raise DatNetError(f"{key} is empty; give a path, or leave the setting out")
    return value if is_remote(value) else os.path.expanduser(value)  # noqa: PTH111


def _converted_fields(prefix: str, kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that change when converted to the annotations of a dataclass, by key.

    Raises:
        DatNetError: If a value does not fit its annotation.
    """
    changed: dict[str, Any] = {}
    for name, annotation in get_type_hints(kind, include_extras=True).items():
        key, before, node = f"{prefix}{name}", values[name], node_of(annotation)
        if node is None:
            after = converted(key, annotation, before)
            changed |= {key: after} if after != before else {}
        elif before is not None:
            changed |= _converted_fields(f"{key}.", node, before)
    return changed


def _put(config: TrainConfig, key: str, value: Any) -> None:
    OmegaConf.update(cast(Any, config), key, value)


def node_of(annotation: Any) -> type | None:
    """Return the dataclass of a node that has settings; None for a plain setting."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and is_dataclass(each):
            return each
    return None
