"""Translates command-line settings for Hydra: quotes values where Hydra's grammar needs it.

The grammar only knows English letters and gives parentheses, =, comma and colon a meaning. A value
that it cannot parse, such as /home/müller/photos (1), is taken literally.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import product

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException

from datnet.errors import DatNetError
from datnet.training.config import is_path
from datnet.zoo.configs import CONFIG_DIR

FUNCTIONS = re.compile(r"(choice|range|interval|glob|shuffle|sort|tag|str|int|float|bool)\(")


def quoted(value: str) -> str:
    """Return any value as a quoted string in Hydra's override syntax."""

    # Backslashes are literal except before a quote and at the end.
    def escaped(found: re.Match[str]) -> str:
        return 2 * found[1] + ("\\'" if found[2] else "")

    return "'" + re.sub(r"(\\*)('|\Z)", escaped, value) + "'"


def readable(argument: str, *, sweeps: bool) -> str:
    """Quote an override's value where Hydra would otherwise misread it.

    Args:
        argument: KEY=VALUE, or another form of Hydra's, which is returned unchanged.
        sweeps: Whether values with commas are sweeps.

    Returns:
        The override as Hydra must get it.

    Raises:
        DatNetError: If the argument is ambiguous; says what to type instead.
    """
    key, equals, value = argument.partition("=")
    if argument.startswith("~"):
        return argument
    if not equals or not key:
        raise DatNetError(f"{argument} is no setting; write KEY=VALUE")
    as_text = f"{key}={quoted(value)}"
    if _parsed(as_text) is None:
        raise DatNetError(
            f"{argument!r} is no setting: {key!r} cannot be the name of one; write KEY=VALUE"
        )
    name = key.lstrip("+")
    override = _parsed(argument)
    if override is not None:
        return as_text if _text_is_meant(override, value, sweeps) else argument
    if value.startswith("[") and value.endswith("]") and not is_path(name):
        elements = [each.strip() for each in value[1:-1].split(",")]
        as_list = f"{key}=[{','.join(map(_element, elements))}]"
        if _parsed(as_list) is not None:
            return as_list
    elif not (sweeps and ("," in value or FUNCTIONS.match(value))):
        return as_text
    function = re.fullmatch(rf"({FUNCTIONS.pattern})(.*)\)", value)
    before, inside, after = (function[1], function[3], ")") if function else ("", value, "")
    each_quoted = f"{key}={before}{','.join(map(_element, inside.split(',')))}{after}"
    sweep = f", or {_in_shell(each_quoted)} for a sweep" if sweeps else ""
    raise DatNetError(
        f"{argument} can be read in several ways: type {_in_shell(as_text)} for one value{sweep}"
    )


def jobs(overrides: list[str], loader: ConfigLoader) -> Iterator[list[str]]:
    """Yield the overrides of each job of a sweep; intervals to search are replaced by their ends.

    Args:
        overrides: "key=value" each. If a key occurs twice the last one counts, as in Hydra.
        loader: Hydra's loader of configurations.

    Returns:
        An iterator over one list of overrides per job.
    """
    values: dict[str, list[str]] = {}
    for override in OverridesParser.create(loader).parse_overrides(overrides):
        key = override.get_key_element()
        sweep = override.value()
        if isinstance(sweep, IntervalSweep):
            values[key] = [f"{key}={sweep.start}", f"{key}={sweep.end}"]
        elif override.is_sweep_override():
            values[key] = [f"{key}={each}" for each in override.sweep_string_iterator()]
        else:
            values[key] = [override.input_line or key]
    yield from map(list, product(*values.values()))


def _element(value: str) -> str:
    """Quote an element of a list or sweep if needed."""
    return value if _parsed(f"key={value}") else quoted(value)


def _in_shell(argument: str) -> str:
    """Quote an argument for a shell."""
    return shlex.quote(argument) if re.search(r'[$"`\\!]', argument) else f'"{argument}"'


def _text_is_meant(override: Override, value: str, sweeps: bool) -> bool:
    """Whether a value must be kept as text although Hydra parses it: 2023, 1e3, [old] or a,b.

    That holds for paths and for the choices of groups.
    """
    read = override.value()
    if isinstance(read, str):
        return is_path(override.key_or_group) and value != value.strip()
    if is_path(override.key_or_group):
        return read is not None and not (sweeps and override.is_sweep_override())
    is_group = (CONFIG_DIR / override.key_or_group).is_dir()
    return is_group and not override.is_sweep_override() and not isinstance(read, list)


def _parsed(argument: str) -> Override | None:
    """Parse an override as Hydra does; None if that fails."""
    try:
        return OverridesParser.create().parse_override(argument)
    except HydraException:
        return None
