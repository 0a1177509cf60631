"""Checks the command line of `datnet train` before Hydra and torch start.

Hydra reads it again, job by job. What it would reject halfway through a sweep or with a traceback
is rejected here in one line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from datnet.errors import DatNetError
from datnet.training.config import TrainConfig, check_classes, check_own_settings
from datnet.training.hydra_errors import in_one_line
from datnet.training.overrides import jobs, quoted, readable
from datnet.zoo.configs import CONFIG_DIR, flat_values, plain_values


@dataclass
class Command:
    """A checked command line."""

    arguments: list[str]
    """The arguments that Hydra reads."""
    sweeps: bool = False
    configs: list[TrainConfig] = field(default_factory=list)
    """One configuration per job; empty if the command only shows something."""


def read_command(arguments: Sequence[str]) -> Command:
    """Check the arguments of `datnet train`: the settings, values and choices of every job.

    Values that only the classes of networks, objectives and data can check are left to
    :func:`check_classes_of_jobs` and to the training itself.

    Raises:
        DatNetError: If a setting does not exist (names the closest match), a value is not allowed
            (names the allowed ones), or choices of one group contradict each other.
    """
    options = get_args_parser().parse_args(list(arguments))
    if options.help or options.hydra_help or options.shell_completion or options.info:
        return Command(list(arguments))
    sweeps = bool(options.multirun)
    overrides = [readable(each, sweeps=sweeps) for each in options.overrides]
    rewritten = dict(zip(options.overrides, overrides, strict=True))
    command = Command([rewritten.get(each, each) for each in arguments], sweeps)
    if options.config_name or options.config_path or options.experimental_rerun:
        return command  # the settings are not DatNet's
    path = [f"hydra.searchpath=[{quoted(_url(options.config_dir))}]"] if options.config_dir else []
    with _composing() as loader:
        _refuse_contradictions(overrides, loader)
        params = _sweeper_params([*path, *overrides]) if sweeps else []
        for job in jobs([*params, *overrides], loader) if sweeps else [overrides]:
            config = compose("train", [*path, *job])
            if options.cfg or not _is_resolvable(config):
                continue
            as_given = deepcopy(config)
            check_own_settings(cast(TrainConfig, config))
            command.configs.append(cast(TrainConfig, config))
            if not sweeps and config.run_dir != as_given.run_dir:  # Hydra makes this folder itself
                command.arguments.append(f"run_dir={quoted(config.run_dir)}")
    return command


def check_classes_of_jobs(configs: Sequence[TrainConfig]) -> None:
    """Check values against the classes of networks, objectives and data, before a sweep.

    Runs in a temporary process: torch takes much memory, which the sweep does not need.

    Raises:
        DatNetError: If a value is not allowed; names the setting and the allowed values.
    """
    values = [plain_values(config) for config in configs]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(_check_classes, values).result()


def _check_classes(jobs: Sequence[dict[str, Any]]) -> None:
    for values in jobs:
        check_classes(cast(TrainConfig, OmegaConf.create(values)))


@contextmanager
def _composing() -> Iterator[ConfigLoader]:
    """Initialize Hydra with DatNet's settings; errors are raised as one line."""
    try:
        with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            try:
                yield GlobalHydra.instance().config_loader()
            except (
                HydraException,
                OmegaConfBaseException,
                YAMLError,
                AssertionError,  # raised by Hydra for a setting below null
                ValueError,
            ) as error:
                defaults = flat_values(OmegaConf.to_container(compose("train")))
                groups = [path.name for path in CONFIG_DIR.iterdir() if path.is_dir()]
                raise DatNetError(in_one_line(error, [*defaults, *groups])) from error
    finally:
        GlobalHydra.instance().clear()


def _sweeper_params(overrides: Sequence[str]) -> list[str]:
    """Sweeps given by the settings of Hydra's sweeper, as in experiment=ablation."""
    plain = [
        each
        for each in overrides
        if not OverridesParser.create().parse_override(each).is_sweep_override()
    ]
    params = OmegaConf.select(
        compose("train", plain, return_hydra_config=True), "hydra.sweeper.params"
    )
    return [f"{key}={value}" for key, value in (params or {}).items()]


def _refuse_contradictions(overrides: Sequence[str], loader: ConfigLoader) -> None:
    """Reject choices of one group that give a setting different values: the last would win.

    Raises:
        DatNetError: If there are any; names the choices and the setting.
    """
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        choices = override.value()
        group = override.key_or_group
        if not isinstance(choices, list) or not loader.get_group_options(group):
            continue
        values: dict[str, tuple[str, Any]] = {}
        for choice in choices:
            for key, value in _settings_of(f"{group}/{choice}", loader).items():
                other, before = values.setdefault(key, (str(choice), value))
                if before != value:
                    raise DatNetError(
                        f"{group}=[{','.join(map(str, choices))}]: {other} and {choice} contradict "
                        f"each other in {key} ({before} and {value}); choose one, or add -m and "
                        f"type {group}={','.join(map(str, choices))} to train with each"
                    )


def _settings_of(choice: str, loader: ConfigLoader) -> dict[str, Any]:
    """Settings in the file of one choice, with its choices of other groups."""
    found = cast(Any, loader).repository.load_config(choice)
    if found is None:
        return {}  # Hydra's own error lists the choices
    chosen = {
        str(each.group): each.value
        for each in found.defaults_list or []
        if getattr(each, "override", False)
    }
    settings = flat_values(OmegaConf.to_container(found.config))
    return chosen | {key: value for key, value in settings.items() if key != "description"}


def _is_resolvable(config: DictConfig) -> bool:
    """Whether all values can be resolved before Hydra starts the job."""
    try:
        OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        return "hydra" not in str(error).lower()
    return True


def _url(folder: str) -> str:
    return f"file://{Path(folder).absolute()}"
