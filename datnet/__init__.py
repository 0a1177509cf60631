"""DatNet: arbitrary artistic style transfer with dual attention.

>>> from datnet import Stylizer
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datnet.stylize.stylizer import Stylizer

__all__ = ["Stylizer", "__version__"]

__version__ = version("datnet")


def __getattr__(name: str) -> Any:
    """Import torch only on use, so that `datnet --help` is quick."""
    if name == "Stylizer":
        from datnet.stylize.stylizer import Stylizer

        return Stylizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
