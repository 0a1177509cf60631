"""Trained networks: their file format, where a name is looked for, backbones, cards.

>>> from datnet.zoo import vgg_encoder
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datnet.zoo.encoder import vgg_encoder

__all__ = ["vgg_encoder"]


def __getattr__(name: str) -> Any:
    """Import torch only when something of it is used: names of files are found without it."""
    if name == "vgg_encoder":
        from datnet.zoo.encoder import vgg_encoder

        return vgg_encoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
