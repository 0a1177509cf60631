"""How a picture is stylized: every setting once, for Python, the command, clips and the page.

A setting is a field of :class:`StylizeOptions`. Its help, its range or choices are with it, so the
command line is made from the fields, and a value is checked in one place. Nothing here imports
torch, so `datnet stylize --help` is quick.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from datnet.errors import DatNetError

if TYPE_CHECKING:
    from datnet.images.opening import Picture

SMALLEST_SIDE = 32
"""Shorter side of a picture: the least that networks take."""

LARGEST_SIDE = 13_416
"""Shorter side of a picture: the largest square of at most 180 million pixels."""

KEEP_COLORS = ("luminance", "histogram")


def explain(
    help: str, *, limits: tuple[float, float] | None = None, pictures: int = 0
) -> dict[str, Any]:
    """A setting's metadata: what a command line needs to explain and to read it.

    Args:
        help: What it does.
        limits: The smallest and the largest value; whole numbers if these are.
        pictures: How many files it takes.
    """
    return {"help": help, "limits": limits, "pictures": pictures}


@dataclass(frozen=True, kw_only=True)
class StylizeOptions:
    """The settings of a stylization; checked when they are made.

    Args:
        alpha: Strength of the style in [0, 1].
        size: Shorter side of the result in pixels; None for that of the content.
        weights: A positive number for each style of a mixture, of any sum; None weighs all alike.
        style_size: Shorter side of the paintings in pixels; larger gives larger strokes. None keeps
            a painting's size, but reduces one that is larger than the content to the content's.
        keep_colors: "luminance" gives the result the content's chroma
            (:func:`datnet.images.colors.keep_chroma`), "histogram" gives the painting the content's
            colors before it is used (:func:`datnet.images.colors.match_colors`). With both a gray
            content gives a gray result.
        mask: Where to stylize: white takes the first style; black the second one, or leaves the
            content as it is if there is one style; gray blends. A picture or an array ``(H, W)``,
            stretched to the size of the result; what is transparent in it counts as black.
        regions: For CAP-VSTNet, a picture of the content's regions and one of the style's, where
            each region has a flat color; each is stretched to its picture. A region of the content
            is stylized like the style's region of the same color, and stays as it is where the
            style has none.

    Raises:
        DatNetError: If a value is out of range, or two do not go together.
    """

    alpha: float = field(
        default=1.0,
        metadata=explain("strength of the style, 0 to 1 (default: 1)", limits=(0.0, 1.0)),
    )
    size: int | None = field(
        default=None,
        metadata=explain(
            "shorter side of the result (default: as the content)",
            limits=(SMALLEST_SIDE, LARGEST_SIDE),
        ),
    )
    weights: Sequence[float] | None = None
    style_size: int | None = field(
        default=None,
        metadata=explain(
            "shorter side of the painting; larger gives larger strokes (default: its own, but not "
            "larger than the content's)",
            limits=(SMALLEST_SIDE, LARGEST_SIDE),
        ),
    )
    keep_colors: str | None = field(
        default=None,
        metadata=explain(
            "luminance (if WAY is left out): the photograph's colors, luminance as stylized; "
            "histogram: the painting takes the photograph's colors first. Before a file write "
            "--keep-colors=luminance",
        ),
    )
    mask: Picture | None = field(
        default=None,
        metadata=explain(
            "picture of any size that says where to stylize: white takes the first style, black "
            "the second one, or with one style leaves the photograph as it is; gray gives soft "
            "edges",
            pictures=1,
        ),
    )
    regions: tuple[Picture, Picture] | None = field(
        default=None,
        metadata=explain(
            "for CAP-VSTNet: two pictures in which each region has a flat color of its own. A "
            "region is stylized like the style's of the same color; without one it stays as it is",
            pictures=2,
        ),
    )

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise DatNetError(f"alpha is {self.alpha}; it must be between 0 and 1")
        check_side("size", self.size)
        check_side("style_size", self.style_size)
        if self.keep_colors is not None and self.keep_colors not in KEEP_COLORS:
            choices = " or ".join(KEEP_COLORS)
            raise DatNetError(f'keep_colors is "{self.keep_colors}"; it can be {choices}')
        for weight in self.weights or ():
            if not (weight > 0 and math.isfinite(weight)):
                raise DatNetError(
                    f"the weight of a style is {weight:g}; it must be a positive number (leave a "
                    "style out rather than give it 0)"
                )
        if self.weights is not None and not math.isfinite(sum(self.weights)):
            raise DatNetError("the weights of the styles are too large to be added; divide them")

    def check_styles(self, count: int) -> None:
        """Refuse settings that do not go with a number of styles.

        Raises:
            DatNetError: If there are no styles, or a setting does not fit them.
        """
        if count < 1:
            raise DatNetError("no style is given; name at least one painting")
        if self.mask is not None and count > 2:
            raise DatNetError(f"a mask places one or two styles, not {count}")
        if self.regions is not None and count > 1:
            raise DatNetError(f"regions are stylized like those of one style, not of {count}")
        if self.weights is None:
            return
        if len(self.weights) != count:
            raise DatNetError(
                f"there are {count} styles and {len(self.weights)} weights; give each one"
            )
        if self.mask is not None and count == 2:
            raise DatNetError("a mask places the two styles, so they cannot have weights as well")

    def shares(self, count: int) -> list[float]:
        """The share of each of ``count`` styles; their sum is 1."""
        weights = [1.0] * count if self.weights is None else self.weights
        return [weight / sum(weights) for weight in weights]


def check_side(name: str, side: int | None) -> None:
    """Refuse a shorter side that no network takes.

    Raises:
        DatNetError: If it is below 32.
    """
    if side is not None and side < SMALLEST_SIDE:
        raise DatNetError(f"{name} is {side}; it must be at least {SMALLEST_SIDE}")


def explained() -> list[Field[Any]]:
    """The settings that a command line gives one by one; weights stand with their paintings."""
    return [each for each in fields(StylizeOptions) if each.metadata]
