"""From a configuration node to an object: the class is named by ``_target_``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

from datnet.errors import DatNetError


def build(node: Mapping[str, Any], **arguments: Any) -> Any:
    """Call the class that a configuration node names.

    Args:
        node: ``{"_target_": "package.module.Class", …keyword arguments}``.
        **arguments: Further keyword arguments that are no part of the configuration.

    Raises:
        DatNetError: If the class refuses the arguments' values.
    """
    settings = {key: value for key, value in node.items() if key != "_target_"}
    try:
        return find_target(node)(**settings, **arguments)
    except (TypeError, ValueError) as error:
        raise DatNetError(f"{node['_target_']} cannot be made: {error}") from error


def build_with_encoder(node: Mapping[str, Any], make_encoder: Callable[[], Any]) -> Any:
    """Call the class that a configuration node names, with an encoder if it takes one.

    Args:
        node: As for :func:`build`.
        make_encoder: Makes the :class:`~datnet.networks.vgg.VggEncoder`; not called in vain, since
            its weights may have to be fetched.

    Raises:
        DatNetError: If the class does not exist or refuses the arguments' values.
    """
    if "encoder" in inspect.signature(find_target(node)).parameters:
        return build(node, encoder=make_encoder())
    return build(node)


def find_target(node: Mapping[str, Any]) -> Callable[..., Any]:
    """Import the class that a configuration node names.

    Raises:
        DatNetError: If there is none.
    """
    target = node.get("_target_")
    if not isinstance(target, str):
        raise DatNetError("a configuration node names no class: its _target_ is missing")
    try:
        found = resolve_name(target)
    except Exception as error:  # whatever the import raises
        raise DatNetError(f"{target} cannot be imported: {error}") from error
    if not callable(found):
        raise DatNetError(f"{target} is no class")
    return found
