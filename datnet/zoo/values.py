"""Checks and converts values of settings by the annotations of the function that takes them.

Settings come from YAML files, command lines and headers of network files, where "no" may mean
False and 8.0 may mean 8. pydantic converts them; the error messages are our own, one line that
names the setting.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_type_hints

from datnet.errors import DatNetError


def converted(key: str, annotation: Any, value: Any) -> Any:
    """Convert a value to an annotated type: "no" to False, "8" and 8.0 to 8.

    Args:
        key: Name of the setting, for the message.
        annotation: A type, with bounds if `Annotated`. Values of types that pydantic does not
            support are returned unchanged.
        value: The value, of plain types.

    Returns:
        The converted value.

    Raises:
        DatNetError: If the value does not fit, for instance a number that is not finite. The
            message says what is accepted.
    """
    from pydantic import ConfigDict, TypeAdapter, ValidationError  # takes a tenth of a second
    from pydantic.errors import PydanticUserError

    if annotation is Any or annotation is inspect.Parameter.empty:
        return value
    if isinstance(value, Mapping):  # OmegaConf's, for one
        value = dict(value)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes | tuple):
        value = list(value)
    plain = ConfigDict(
        arbitrary_types_allowed=True, allow_inf_nan=False, coerce_numbers_to_str=True
    )
    try:
        adapter = TypeAdapter(annotation, config=plain)
    except (
        PydanticUserError,
        NameError,
        SyntaxError,
    ):  # a model with a configuration of its own, for one
        return value
    try:
        result = adapter.validate_python(value)
    except ValidationError as error:
        raise DatNetError(f"{key} is {in_yaml(value)}; {_what_it_may_be(error, annotation)}") from (
            error
        )
    if isinstance(value, bool) and isinstance(result, int | float) and result is not value:
        raise DatNetError(f"{key} is {in_yaml(value)}; it must be a number")
    return result


def annotations_of(target: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a callable's parameters by name; Any where there is none."""
    function = target.__init__ if isinstance(target, type) else target  # type: ignore[misc]
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception:  # names that only type checkers import, for one
        hints = {}
    return {name: hints.get(name, Any) for name in inspect.signature(target).parameters}


def one_of(*choices: str) -> Any:
    """Return an `Annotated` constraint to these texts, since OmegaConf does not support `Literal`.

    The constraint raises a ValueError that lists the choices.
    """
    from pydantic import AfterValidator

    def check(value: str) -> str:
        if value not in choices:
            raise ValueError(f"it can be {', '.join(choices)}")
        return value

    return AfterValidator(check)


def in_yaml(value: Any) -> str:
    """Format a value as on the command line or in a YAML file."""
    if value is None:
        return "null"
    if value == "":
        return "empty"
    return str(value).lower() if isinstance(value, bool) else str(value)


_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "finite": "finite",
    "bool": "true or false",
    "string": "text",
    "path": "a path",
    "list": "a list such as [1,2]",
    "tuple": "a list such as [1,2]",
    "sequence": "a list such as [1,2]",
    "dict": "a mapping such as {{key:value}}",
}
_BOUNDS = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "too_short": "a list of at least {min_length}",
    "string_too_short": "text that is not empty",
    "string_too_long": "text of at most {max_length} characters",
}


def _what_it_may_be(error: Any, annotation: Any) -> str:
    """Format pydantic's errors as the end of a sentence; those of a union's members are joined."""
    errors = error.errors()
    if len(errors) == 1 and errors[0]["type"] == "value_error":  # the message of our own check
        return str(errors[0]["ctx"]["error"])
    choices = [
        choice
        for each in errors
        if each["type"] == "literal_error"
        for choice in re.split(", | or ", each["ctx"]["expected"].replace("'", ""))
    ]
    others = [_phrase(each) for each in errors if each["type"] != "literal_error"]
    if type(None) in getattr(annotation, "__args__", ()):
        others.append("null")
    *first, last = dict.fromkeys(choices + others)
    verb = "can" if choices else "must"
    return f"it {verb} be {', '.join(first)}{' or ' if first else ''}{last}"


def _phrase(error: Any) -> str:
    """Format one error as the words after "it must be"."""
    kind = error["type"]
    context = {name: _short(value) for name, value in error.get("ctx", {}).items()}
    if kind == "greater_than" and context["gt"] == 0:
        return "positive"
    if kind == "greater_than_equal" and type(error["ctx"]["ge"]) is float and context["ge"] == 0:
        return "finite and not negative"
    words = _BOUNDS.get(kind) or _KINDS.get(kind.split("_")[0])
    if kind == "is_instance_of":
        words = _KINDS.get(context["class"].lower(), "a {class}")
    place = "".join(f", in place {where}" for where in error["loc"] if isinstance(where, int))
    return words.format(**context) + place if words else f"other ({error['msg']})"


def _short(bound: Any) -> Any:
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound
