"""Builds objects from configuration nodes, whose ``_target_`` names the class."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

from datnet.errors import DatNetError
from datnet.zoo.values import annotations_of, converted


def build(node: Mapping[str, Any], **arguments: Any) -> Any:
    """Build an object of the class that a configuration node names.

    Args:
        node: ``{"_target_": "package.module.Class", …keyword arguments}``.
        **arguments: Further keyword arguments that are not part of the configuration.

    Returns:
        The object.

    Raises:
        DatNetError: If the class does not exist, lacks a setting or refuses the arguments' values.
    """
    settings = {name: value for name, value in node.items() if name != "_target_"}
    key = str(node.get("_target_"))
    try:
        return find_target(node)(**converted_settings(key, node, settings), **arguments)
    except (TypeError, ValueError) as error:
        raise DatNetError(f"{key} cannot be made: {error}") from error


def build_with_encoder(node: Mapping[str, Any], make_encoder: Callable[[], Any]) -> Any:
    """Build an object from a configuration node, with an encoder if its class takes one.

    Args:
        node: As for :func:`build`.
        make_encoder: Makes the :class:`~datnet.networks.vgg.VggEncoder`; called only if needed,
            since its weights may have to be fetched.

    Returns:
        The object.

    Raises:
        DatNetError: If the class does not exist, lacks a setting or refuses the arguments' values.
    """
    if "encoder" in inspect.signature(find_target(node)).parameters:
        return build(node, encoder=make_encoder())
    return build(node)


def converted_settings(
    key: str, node: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Convert settings to the types that a node's class takes, by its signature's annotations.

    Args:
        key: Key of the node in a configuration, such as "model.network", for messages.
        node: The node.
        settings: Some of the class's keyword arguments.

    Returns:
        The settings, converted: "no" becomes False for a bool.

    Raises:
        DatNetError: If the class does not exist, lacks a setting (the message names the closest
            one) or does not accept a value (the message says what it accepts).
    """
    target = find_target(node)
    parameters = inspect.signature(target).parameters.values()
    open_ended = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
    annotations = annotations_of(target)
    accepted = [each for each in annotations if each != "encoder"]
    for name in settings:
        if name in accepted or open_ended:
            continue
        near = difflib.get_close_matches(str(name), accepted, n=1)
        if near:
            hint = f"did you mean {key}.{near[0]}?"
        else:
            hint = f"it takes: {', '.join(accepted)}" if accepted else "it takes none"
        raise DatNetError(f"{key}.{name} is not a setting of {node['_target_']}; {hint}")
    return {
        name: converted(f"{key}.{name}", annotations.get(name, Any), value)
        for name, value in settings.items()
    }


def find_target(node: Mapping[str, Any]) -> Callable[..., Any]:
    """Import the class that a configuration node names.

    Raises:
        DatNetError: If it names none, or the class cannot be imported.
    """
    target = node.get("_target_")
    if not isinstance(target, str):
        raise DatNetError("a configuration node names no class: its _target_ is missing")
    try:
        found = resolve_name(target)
    except Exception as error:  # whatever the import raises
        raise DatNetError(f"{target} cannot be imported: {error}") from error
    if not callable(found):
        raise DatNetError(f"{target} is not a class")
    return found
