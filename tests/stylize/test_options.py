"""The settings of a stylization: one place for their checks, for all who take them."""

from __future__ import annotations

import argparse
import math

import pytest

from datnet.commands.stylize import add_parser
from datnet.errors import DatNetError
from datnet.stylize.options import StylizeOptions, explained


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"alpha": math.nan}, "alpha is nan"),
        ({"size": 31}, "size is 31"),
        ({"style_size": 0}, "style_size is 0"),
        ({"keep_colors": "hue"}, "luminance or histogram"),
        ({"attention": "quick"}, "exact or fast"),
        ({"weights": [1, 0]}, "weight of a style is 0"),
        ({"weights": [math.inf]}, "weight of a style is inf"),
        ({"weights": [1e308, 1e308]}, "too large"),
    ],
)
def test_a_value_out_of_range_is_refused_when_options_are_made(settings: dict, words: str) -> None:
    with pytest.raises(DatNetError, match=words):
        StylizeOptions(**settings)


@pytest.mark.parametrize(
    ("settings", "styles", "words"),
    [
        ({}, 0, "no style"),
        ({"weights": [1, 1]}, 1, "1 styles and 2 weights"),
        ({"mask": "mask.png"}, 3, "one or two styles"),
        ({"mask": "mask.png", "weights": [1, 1]}, 2, "cannot have weights"),
        ({"regions": ("a.png", "b.png")}, 2, "one style"),
    ],
)
def test_settings_that_do_not_fit_the_styles_are_refused(
    settings: dict, styles: int, words: str
) -> None:
    with pytest.raises(DatNetError, match=words):
        StylizeOptions(**settings).check_styles(styles)


def test_shares_sum_to_one() -> None:
    assert StylizeOptions(weights=[3, 1]).shares(2) == [0.75, 0.25]
    assert StylizeOptions().shares(4) == [0.25] * 4


def test_the_command_has_an_option_for_each_setting_with_its_default() -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["stylize", "photo.jpg", "painting.jpg"])
    for setting in explained():
        assert getattr(arguments, setting.name) == setting.default
