"""Trained networks: file format, lookup by name, backbones, model cards.

>>> from datnet.zoo import vgg_encoder
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datnet.zoo.encoder import vgg_encoder

__all__ = ["vgg_encoder"]


def __getattr__(name: str) -> Any:
    """Import torch only on use: finding file names does not need it."""
    if name == "vgg_encoder":
        from datnet.zoo.encoder import vgg_encoder

        return vgg_encoder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
