"""Repeats a training from the settings in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from safetensors.torch import load_file
from torch import Tensor

from datnet.errors import DatNetError
from datnet.training.config import TrainConfig
from datnet.training.run_folder import RunFolder
from datnet.zoo.network_file import read_description

MOST_REPETITIONS = 1000

FOLLOWERS = {
    "data.seed": "seed",
    "data.batch_size": "model.recipe.batch_size",
    "trainer.max_steps": "model.recipe.steps",
    "trainer.gradient_clip_val": "model.recipe.gradient_clip",
}
"""Settings that conf/ interpolates from others; a run's config.yaml holds only their values."""


def settings_of(folder: Path, changes: Sequence[str]) -> TrainConfig:
    """Load the settings of a run and change some.

    A setting of :data:`FOLLOWERS` that equals its source, such as the seed of the pairs and that of
    the run, follows changes of the source.

    Args:
        folder: The run folder.
        changes: "key=value" each.

    Returns:
        The settings, with interpolations not yet resolved.

    Raises:
        DatNetError: If the folder holds no run, or a setting does not exist.
    """
    saved = RunFolder(folder).config
    if not saved.is_file():
        raise DatNetError(f"{folder} is no run's folder: it has no config.yaml")
    if wrong := [change for change in changes if "=" not in change]:
        raise DatNetError(f"{wrong[0]} is no setting; write KEY=VALUE")
    try:
        config = OmegaConf.merge(OmegaConf.structured(TrainConfig), OmegaConf.load(saved))
        for follower, source in FOLLOWERS.items():
            if OmegaConf.select(config, follower) == OmegaConf.select(config, source):
                OmegaConf.update(config, follower, f"${{{source}}}")
        config = OmegaConf.merge(config, OmegaConf.from_dotlist(list(changes)))
    except OmegaConfBaseException as error:
        raise DatNetError(str(error).splitlines()[0]) from error
    return cast(TrainConfig, config)


def settings_of_repetition(
    original: Path, changes: Sequence[str], target: Path | None
) -> TrainConfig:
    """Settings of a repetition that is not finished yet, see :func:`settings_of`.

    Args:
        original: The run folder.
        changes: "key=value" each.
        target: The repetition's folder; None for the first of RUN_rerun, RUN_rerun_2, … that holds
            no run, or an unfinished one with these settings.

    Returns:
        The settings, with the folder as ``run_dir``.

    Raises:
        DatNetError: If the target is the run's own folder or holds a finished repetition.
    """
    if target is None:
        beside = original if original.name else original.resolve()
        for suffix in ("", *(f"_{number}" for number in range(2, MOST_REPETITIONS))):
            folder = beside.with_name(f"{beside.name}_rerun{suffix}")
            config = settings_of(original, [*changes, f"run_dir={folder}", "ckpt_path=last"])
            with suppress(DatNetError):  # a run with other settings
                if not RunFolder(folder).is_finished(config):
                    return config
        raise DatNetError(f"{beside} was repeated too often; remove some of {beside}_rerun…")
    if target.resolve() == original.resolve():
        raise DatNetError("--run-dir must be another folder than RUN_DIR")
    config = settings_of(original, [*changes, f"run_dir={target}", "ckpt_path=last"])
    if RunFolder(target).is_finished(config):
        raise DatNetError(
            f"{target} holds this training already, and it is finished: nothing was run. Choose "
            "another --run-dir, or remove that folder"
        )
    return config


def equal_to_the_bit(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Whether two sets of tensors have the same names, types, shapes and bits.

    Args:
        first: Tensors by name.
        second: Tensors by name.

    Returns:
        True if they are bitwise equal.
    """
    return first.keys() == second.keys() and all(
        tensor.dtype == second[name].dtype
        and tensor.shape == second[name].shape
        and torch.equal(tensor.view(torch.uint8), second[name].view(torch.uint8))
        for name, tensor in first.items()
    )


def differences(original: Path, again: Path) -> str | None:
    """Describe how the weights of two trainings differ, in one sentence.

    Args:
        original: network.safetensors of a run; it need not exist.
        again: network.safetensors of its repetition.

    Returns:
        The sentence; None if the weights are bitwise equal.
    """
    if not original.exists():
        return f"{original} does not exist: nothing to compare with"
    first, second = load_file(original), load_file(again)
    if equal_to_the_bit(first, second):
        return None
    shapes = [{name: tensor.shape for name, tensor in each.items()} for each in (first, second)]
    if shapes[0] != shapes[1]:
        return "the networks have different weights, by their names or shapes"
    largest = max(float((first[name] - second[name]).abs().max()) for name in first)
    there, here = (read_description(path).training for path in (original, again))
    changed = [
        f"{key}: {there.get(key)} and {here.get(key)}"
        for key in ("commit", "image_fingerprints")
        if there.get(key) != here.get(key)
    ]
    return f"the weights differ by up to {largest:.1e}" + (
        f" ({'; '.join(changed)})" if changed else ""
    )
