"""Names the nearest setting where one does not exist, before Hydra composes the whole."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, HydraException
from omegaconf import OmegaConf

from datnet.errors import DatNetError
from datnet.training.config import CONFIG_DIR, flat_values


def check_names(arguments: Sequence[str]) -> None:
    """Compose the configuration of a command line and look at what does not fit.

    Of a sweep the first job is looked at. What else may be wrong is left to Hydra, whose messages
    name the choices of a group and the place in a file.

    Args:
        arguments: Of `datnet train`.

    Raises:
        DatNetError: If a setting does not exist, with the nearest that does; or if a value is of
            the wrong kind.
    """
    try:
        overrides = [_first_of_sweep(argument) for argument in arguments if "=" in argument]
        _compose(overrides)
    except ConfigCompositionException as error:
        text = f"{error}\n{error.__cause__ or ''}"
        key = re.search(r"full_key: (\S+)", text)
        if key is None:
            return
        if "could not be converted" in text:
            value = re.search(r"Value .*", text)
            raise DatNetError(f"{key[1]}: {value[0] if value else error}") from error
        raise DatNetError(f"{key[1]} is no setting; {_nearest(key[1])}") from error
    except HydraException:
        return


def _first_of_sweep(argument: str) -> str:
    """An override as it is, or the first of the values that it sweeps over."""
    if argument.startswith("-"):
        return argument
    override = OverridesParser.create().parse_override(argument)
    if not override.is_sweep_override():
        return argument
    return f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"


def _compose(overrides: Sequence[str]) -> dict[str, object]:
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose("train", [each for each in overrides if not each.startswith("hydra")])
    return flat_values(OmegaConf.to_container(config))


def _nearest(key: str) -> str:
    groups = [path.name for path in CONFIG_DIR.iterdir() if path.is_dir()]
    names = [*_compose([]), *groups]
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "`datnet train --cfg job` shows all of them"
    if key.startswith(("model.network.", "model.objective.", "objective.")):
        hint += f" (+{key}=… hands the class an argument that its file in conf/model leaves out)"
    return hint
