"""Errors of Hydra and OmegaConf as one line that says what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any, get_type_hints

from hydra.errors import MissingConfigException, OverrideParseException

from datnet.errors import DatNetError, extra_with
from datnet.training.config import TrainConfig, node_of
from datnet.zoo.values import converted


def in_one_line(error: Exception, known: Sequence[str]) -> str:
    """Return Hydra's error as one line.

    Args:
        error: Raised while composing a configuration.
        known: All settings and groups, to suggest corrections from.

    Returns:
        The message, without "error:".
    """
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_choice(error.missing_cfg_file, error.options or [])
    if isinstance(error, OverrideParseException):
        return f"{error.override} cannot be read: {_first_lines(error)}"
    text = f"{error}\n{error.__cause__ or ''}"
    if ambiguous := re.search(r"Ambiguous value for argument '(.*?)=(.*)'\n", text):
        key, value = ambiguous.groups()
        return (
            f"{key} has several values: add -m to run one training for each, or type "
            f"'{key}=[{value}]' for a list"
        )
    if isinstance(error, AssertionError):
        return (
            "a setting lies below one that is null, such as logger.wandb.project without "
            f"logger=wandb ({_first_lines(error)})"
        )
    key_at_fault = re.search(r"full_key: (\S+)", text)
    if key_at_fault is None:
        return _first_lines(error)
    key = key_at_fault[1]
    if re.search(r"Key '.*' (is )?not in|does not exist|Could not override", text):
        return f"{key} is no setting; {_nearest(key, known)}"
    if value_at_fault := re.search(r"Value '(.*)' of type|Value '(.*)' is not a valid", text):
        return _wrong_value(key, value_at_fault[1] or value_at_fault[2])
    if "is not Optional" in text:
        return f"{key} cannot be null"
    if "ListConfig" in text:
        return f"{key} must be a list such as [a,b]"
    if re.search(r"is not a subclass of|Cannot assign|Cannot merge", text):
        return f"{key} is a group of settings: give one of them, {key}.NAME=VALUE"
    return f"{key}: {_first_lines(error.__cause__ or error)}"


def _no_such_choice(file: str, options: Sequence[str]) -> str:
    group, _, name = file.rpartition("/")
    plugin = name.partition("_")[0]  # submitit_slurm: hydra-submitit-launcher
    extra = extra_with(f"hydra_{plugin}_{group.rpartition('/')[2]}")
    if extra is not None and not any(plugin in option for option in options):
        return f"{file} needs a plugin of Hydra: pip install 'datnet[{extra}]'"
    near = difflib.get_close_matches(name, options, n=1)
    hint = f"did you mean {near[0]}? It" if near else "it"
    return f"{group}={name} does not exist; {hint} can be {', '.join(options)}"


def _wrong_value(key: str, value: str) -> str:
    try:
        fits = converted(key, _annotation(key), value)
    except DatNetError as error:
        return str(error)
    return f"{key} is {value}; write it as {fits}"  # 1e5 for a whole number


def _annotation(key: str) -> Any:
    found: Any = TrainConfig
    for name in key.split("."):
        node = node_of(found)
        found = get_type_hints(node, include_extras=True).get(name, Any) if node else Any
    return found


def _nearest(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if key in known:
        return "other models have it; `datnet train model=NAME --cfg job` shows what this one has"
    hint = f"did you mean {near[0]}?" if near else "`datnet train --cfg job` shows all of them"
    if key.startswith(("model.network.", "model.objective.", "objective.", "trainer.")):
        taker = "the Trainer" if key.startswith("trainer.") else "the class"
        hint += f" (+{key}=… hands {taker} an argument that its file in conf/ leaves out)"
    return hint


def _first_lines(error: BaseException) -> str:
    """Return an error's message without Hydra's links and types at its end."""
    words = re.split(r"\n\s*(?:full_key|See https|\^)", str(error) or type(error).__name__)[0]
    return " ".join(words.split()).split("raised while resolving interpolation: ")[-1]
