"""A training once more, from the settings that lie in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from safetensors.torch import load_file

from datnet.errors import DatNetError
from datnet.training.config import TrainConfig
from datnet.training.run_folder import RunFolder
from datnet.zoo.network_file import read_description

FOLLOWERS = {
    "data.seed": "seed",
    "data.batch_size": "model.recipe.batch_size",
    "trainer.max_steps": "model.recipe.steps",
    "trainer.gradient_clip_val": "model.recipe.gradient_clip",
}
"""Settings that conf/ takes from others; a run's config.yaml holds their values alone."""


def settings_of(folder: Path, changes: Sequence[str]) -> TrainConfig:
    """The settings of a run, with some changed.

    What equals the setting that it is taken from, as the pairs' seed does the run's, follows its
    change.

    Args:
        folder: The run's folder.
        changes: "key=value" each.

    Raises:
        DatNetError: If there is no run in the folder, or a setting does not exist.
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


def differences(original: Path, again: Path) -> str:
    """One sentence on how far the weights of two trainings are from each other.

    Args:
        original: network.safetensors of a run; it need not exist.
        again: The same of its repetition.
    """
    if not original.exists():
        return f"{original} does not exist: nothing to compare with"
    first, second = load_file(original), load_file(again)
    largest = max(float((first[name] - second[name]).abs().max()) for name in first)
    if largest == 0:
        return "the weights are equal to the bit"
    there, here = (read_description(path).training for path in (original, again))
    changed = [
        f"{key}: {there.get(key)} and {here.get(key)}"
        for key in ("commit", "image_fingerprints")
        if there.get(key) != here.get(key)
    ]
    return f"the weights differ by up to {largest:.1e}" + (
        f" ({'; '.join(changed)})" if changed else ""
    )
