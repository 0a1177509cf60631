"""Checks the settings of Lightning's Trainer.

Any argument of the Trainer can be added with `+trainer.NAME=VALUE`, except those that a training
sets itself or that would break what it relies on: endless pairs without epochs, validation after
the last step, and DatNet's own checkpoints.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BeforeValidator

from datnet.errors import DatNetError
from datnet.zoo.values import annotations_of, converted, in_yaml

_EPOCHS = "there are no epochs, since pairs never end; use trainer.max_steps"
_VALIDATION = "use data.validation_pairs and trainer.val_check_interval"
_TRIAL = "use experiment=miniature or trainer.max_steps for a short training"
_LOADERS = "pairs are divided among processes by their numbers, without Lightning's help"

OURS = {
    "max_epochs": _EPOCHS,
    "min_epochs": _EPOCHS,
    "reload_dataloaders_every_n_epochs": _EPOCHS,
    "limit_train_batches": _EPOCHS,
    "check_val_every_n_epoch": _VALIDATION,
    "limit_val_batches": _VALIDATION,
    "num_sanity_val_steps": _VALIDATION,
    "fast_dev_run": _TRIAL,
    "overfit_batches": _TRIAL,
    "barebones": _TRIAL,
    "limit_test_batches": "a training tests nothing; use datnet evaluate",
    "limit_predict_batches": "a training predicts nothing; use datnet stylize",
    "logger": "use logger=csv, wandb or tensorboard",
    "enable_checkpointing": "use checkpoint_every and keep_every",
    "default_root_dir": "use run_dir",
    "callbacks": "they are the training's own",
    "plugins": "they are the training's own",
    "enable_model_summary": "use datnet benchmark for parameters and times",
    "use_distributed_sampler": _LOADERS,
}
"""Arguments of the Trainer that a configuration must not set, and what to use instead."""


def check_not_ours(settings: Mapping[str, Any]) -> None:
    """Reject settings that a training sets itself.

    Args:
        settings: The configuration's node `trainer`.

    Raises:
        DatNetError: If one of :data:`OURS` is among them.
    """
    for name in settings:
        if name in OURS:
            raise DatNetError(
                f"trainer.{name}={in_yaml(settings[name])} cannot be set here: {OURS[name]}"
            )


def converted_trainer(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the node `trainer` to the types in the signature of Lightning's Trainer.

    Raises:
        DatNetError: If the Trainer has no such setting or does not accept a value.
    """
    from lightning.pytorch import Trainer  # takes seconds to import
    from lightning.pytorch.accelerators import AcceleratorRegistry
    from lightning.pytorch.strategies import StrategyRegistry

    annotations = annotations_of(Trainer)
    result = {}
    for name, value in settings.items():
        if name not in annotations:
            raise DatNetError(
                f"trainer.{name} is no setting of Lightning's Trainer; "
                + _nearest("trainer.", name, [each for each in annotations if each not in OURS])
            )
        result[name] = converted(f"trainer.{name}", annotations[name], value)
    accelerators = ["auto", "gpu", *AcceleratorRegistry.available_accelerators()]
    strategies = ["auto", *StrategyRegistry.available_strategies()]
    for name, choices in (("accelerator", accelerators), ("strategy", strategies)):
        if settings[name] not in choices:
            raise DatNetError(
                f"trainer.{name} is {in_yaml(settings[name])}; "
                + _nearest("", str(settings[name]), choices)
            )
    return result


def _nearest(prefix: str, name: str, choices: list[str]) -> str:
    near = difflib.get_close_matches(name, choices, n=1)
    return f"did you mean {prefix}{near[0]}?" if near else f"it can be {', '.join(choices)}"


def _devices(value: Any) -> Any:
    words = "it must be a number of devices, -1 or auto for all, or a list of them such as [0,1]"
    numbers = value
    if isinstance(value, str):
        if value == "auto":
            return value
        try:
            numbers = [int(each) for each in value.split(",") if each.strip()]
        except ValueError as error:
            raise ValueError(words) from error
        if "," not in value and numbers:
            (numbers,) = numbers
    if isinstance(numbers, list | tuple):
        different = set(map(str, numbers))
        if different and len(different) == len(numbers) and all(map(_is_index, numbers)):
            return value
    elif type(numbers) is int and (numbers > 0 or numbers == -1):
        return value
    raise ValueError(words)


def _is_index(value: Any) -> bool:
    return type(value) is int and value >= 0


devices_of = BeforeValidator(_devices)
"""Validator of `devices`, which takes the forms that Lightning takes."""
