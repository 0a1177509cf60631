"""Settings of a stylization, defined once for Python, the command line, clips and the page.

A setting is a field of :class:`StylizeOptions`. The command line is made from the fields, which
have their help and limits in their metadata; values are checked in one place. Nothing here imports
torch, so `datnet stylize --help` is fast.
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
"""Smallest shorter side of a picture, in pixels, that networks accept."""

LARGEST_SIDE = 13_416
"""Largest shorter side of a picture, in pixels: a square of at most 180 million pixels."""

KEEP_COLORS = ("luminance", "histogram")

AUTOMATIC = "auto"
"""Value of alpha that searches the strength; "auto:SHARE" gives the share of the way to cover."""

USUAL_SHARE = 0.7
"""Share of the way from the photograph to the painting's style, for "auto" alone."""

ATTENTION = ("exact", "fast")


def explain(
    help: str,
    *,
    limits: tuple[float, float] | None = None,
    pictures: int = 0,
    choices: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the metadata of a setting, from which its command-line option is made.

    Args:
        help: Help text.
        limits: Smallest and largest value; two integers for an integer setting.
        pictures: Number of files that it takes.
        choices: The words that it can be.

    Returns:
        The metadata of the field.
    """
    return {"help": help, "limits": limits, "pictures": pictures, "choices": choices}


@dataclass(frozen=True, kw_only=True)
class StylizeOptions:
    """Settings of a stylization, validated on creation.

    Args:
        alpha: Strength of the style in [0, 1]. "auto" or "auto:SHARE" searches the strength that
            covers a share of the way to the style, see
            :func:`datnet.stylize.strength.find_strength`.
        size: Shorter side of the result in pixels; None for that of the content.
        weights: A positive weight for each style of a mixture, with any sum; None for equal
            weights.
        style_size: Shorter side of the paintings in pixels; larger values give larger strokes. None
            keeps the size of a painting, but reduces one larger than the content to its size.
        keep_colors: "luminance" gives the result the chroma of the content
            (:func:`datnet.images.colors.keep_chroma`); "histogram" transfers the colors of the
            content to the painting first (:func:`datnet.images.colors.match_colors`). Either way a
            gray content gives a gray result.
        mask: Where to stylize: white takes the first style; black takes the second one or, with one
            style, leaves the content unchanged; gray blends. A picture or an array ``(H, W)``,
            stretched to the size of the result; transparent parts count as black.
        regions: For CAP-VSTNet, region maps of content and style, in which each region has a flat
            color; each map is stretched to its picture. A region of the content is stylized with
            the style region of the same color, and stays unchanged if there is none.
        tileable: Whether opposite edges of the content are neighbors, so that the result of a
            tileable content tiles. Both sides of the result must be multiples of 16.
        attention: How networks with attention over positions (DatNet, AdaAttN, SANet, MANet)
            compute it: "exact", or "fast", which multiplies only the keys that matter and gives
            nearly the same result, see :mod:`datnet.networks.ops.fast_attention`. Small pictures
            have exact attention either way.

    Raises:
        DatNetError: If a value is out of range, or two settings contradict each other.
    """

    alpha: float | str = field(
        default=1.0,
        metadata=explain(
            "strength of the style, 0 to 1 (default: 1); auto or auto:SHARE searches the strength "
            f"that covers SHARE (default: {USUAL_SHARE}) of the way from the photograph to the "
            "statistics of the painting, and prints it",
            limits=(0.0, 1.0),
        ),
    )
    size: int | None = field(
        default=None,
        metadata=explain(
            "shorter side of the result in pixels (default: that of the content)",
            limits=(SMALLEST_SIDE, LARGEST_SIDE),
        ),
    )
    weights: Sequence[float] | None = None
    style_size: int | None = field(
        default=None,
        metadata=explain(
            "shorter side of the painting in pixels; larger values give larger strokes (default: "
            "its own, but at most that of the content)",
            limits=(SMALLEST_SIDE, LARGEST_SIDE),
        ),
    )
    keep_colors: str | None = field(
        default=None,
        metadata=explain(
            "keep the colors of the photograph. luminance (default WAY): keep its chroma and "
            "stylize only the luminance; histogram: transfer its colors to the painting first. "
            "If a file name follows, write --keep-colors=luminance",
        ),
    )
    mask: Picture | None = field(
        default=None,
        metadata=explain(
            "picture of any size that selects where to stylize: white takes the first style; black "
            "takes the second style or, with one style, leaves the photograph unchanged; gray "
            "gives soft edges",
            pictures=1,
        ),
    )
    regions: tuple[Picture, Picture] | None = field(
        default=None,
        metadata=explain(
            "for CAP-VSTNet: region maps of content and style, in which each region has its own "
            "flat color. A region takes the style of the region of the same color; without one it "
            "stays unchanged",
            pictures=2,
        ),
    )
    tileable: bool = field(
        default=False,
        metadata=explain(
            "the result of a texture that tiles tiles, too: opposite edges are neighbors. Both "
            "sides must be multiples of 16 pixels",
        ),
    )
    attention: str = field(
        default="exact",
        metadata=explain(
            "exact (default); or fast, which gives nearly the same result in about a third "
            "of attention's time at 512 pixels, for networks with attention (DatNet, SANet, MANet)",
            choices=ATTENTION,
        ),
    )

    def __post_init__(self) -> None:
        self.check_alpha()
        check_side("size", self.size)
        check_side("style_size", self.style_size)
        if self.keep_colors is not None and self.keep_colors not in KEEP_COLORS:
            choices = " or ".join(KEEP_COLORS)
            raise DatNetError(f'keep_colors is "{self.keep_colors}"; it can be {choices}')
        if self.attention not in ATTENTION:
            choices = " or ".join(ATTENTION)
            raise DatNetError(f'attention is "{self.attention}"; it can be {choices}')
        for weight in self.weights or ():
            if not (weight > 0 and math.isfinite(weight)):
                raise DatNetError(
                    f"the weight of a style is {weight:g}; it must be a positive number (to use 0, "
                    "leave the style out)"
                )
        if self.weights is not None and not math.isfinite(sum(self.weights)):
            raise DatNetError("the sum of the style weights is too large; scale them down")

    def check_alpha(self) -> None:
        """Check that alpha is a number in [0, 1], "auto" or "auto:SHARE".

        Raises:
            DatNetError: If it is not.
        """
        if not isinstance(self.alpha, str):
            if not 0 <= self.alpha <= 1:
                raise DatNetError(f"alpha is {self.alpha}; it must be between 0 and 1")
            return
        share = self.wanted_share
        if share is None or not 0 < share < 1:
            raise DatNetError(
                f'alpha is "{self.alpha}"; it can be a number between 0 and 1, auto, or auto:SHARE '
                "with a share between 0 and 1, such as auto:0.6"
            )

    @property
    def wanted_share(self) -> float | None:
        """Share of the way to the style that an automatic alpha is to cover; None for a number."""
        if not isinstance(self.alpha, str):
            return None
        name, colon, share = self.alpha.partition(":")
        if name != AUTOMATIC:
            return None
        try:
            return float(share) if colon else USUAL_SHARE
        except ValueError:
            return None

    def check_styles(self, count: int) -> None:
        """Check that the settings fit a number of styles.

        Raises:
            DatNetError: If there is no style, or a setting does not fit the number.
        """
        if count < 1:
            raise DatNetError("no style is given; give at least one painting")
        if self.mask is not None and count > 2:
            raise DatNetError(f"a mask places one or two styles, not {count}")
        if self.regions is not None and count > 1:
            raise DatNetError(f"regions can be matched with those of one style, not of {count}")
        if self.weights is None:
            return
        if len(self.weights) != count:
            raise DatNetError(
                f"there are {count} styles and {len(self.weights)} weights; give one for each"
            )
        if self.mask is not None and count == 2:
            raise DatNetError("a mask places the two styles, so they cannot have weights")

    def shares(self, count: int) -> list[float]:
        """Return the normalized weights of ``count`` styles; their sum is 1."""
        weights = [1.0] * count if self.weights is None else self.weights
        return [weight / sum(weights) for weight in weights]


def check_side(name: str, side: int | None) -> None:
    """Check that a shorter side is large enough for the networks.

    Args:
        name: Name of the setting, for the message.
        side: Shorter side in pixels; None passes.

    Raises:
        DatNetError: If it is below 32.
    """
    if side is not None and side < SMALLEST_SIDE:
        raise DatNetError(f"{name} is {side}; it must be at least {SMALLEST_SIDE}")


def explained() -> list[Field[Any]]:
    """Return the settings with an option of their own; weights are given with the paintings."""
    return [each for each in fields(StylizeOptions) if each.metadata]
