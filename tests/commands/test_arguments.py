"""Argument values that all commands reject, and values that all accept."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from datnet.commands import (
    benchmark,
    dashboard,
    data,
    doctor,
    evaluate,
    export,
    info,
    rerun,
    serve,
    stylize,
    summarize,
    weights,
)
from datnet.commands.arguments import Parser, to_path
from datnet.commands.main import main
from datnet.images import opening
from datnet.networks import base
from datnet.stylize.options import LARGEST_SIDE, SMALLEST_SIDE

COMMANDS = (
    *(benchmark, dashboard, data, doctor, evaluate, export),
    *(info, rerun, serve, stylize, summarize, weights),
)


def parsers() -> Iterator[argparse.ArgumentParser]:
    """The parser of every command, and of every command of a command."""
    parser = Parser("datnet")
    commands = parser.add_subparsers()
    for command in COMMANDS:
        command.add_parser(commands)
    waiting = list(commands.choices.values())
    while waiting:
        each = waiting.pop()
        inner = [a for a in each._actions if isinstance(a, argparse._SubParsersAction)]
        waiting += [choice for action in inner for choice in action.choices.values()]
        if not inner:
            yield each


VALUES = [
    pytest.param(
        parser, action, id=f"{parser.prog} {'/'.join(action.option_strings) or action.dest}"
    )
    for parser in parsers()
    for action in parser._actions
    if action.nargs != 0
]
OTHER_TEXT = {("datnet rerun", "changes")}
"""They are not paths, and Hydra checks them."""


@pytest.mark.parametrize(("parser", "action"), VALUES)
def test_nothing_is_no_value(
    parser: argparse.ArgumentParser, action: argparse.Action, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of an unset variable of the shell; every argument of every command, also new ones."""
    if (parser.prog, action.dest) in OTHER_TEXT:
        return
    count = action.nargs if isinstance(action.nargs, int) else 1
    required = [
        *(other for other in parser._actions if other.required and other.option_strings),
        *(other for other in parser._actions if other.required and not other.option_strings),
    ]
    words = [word for other in required if other is not action for word in usual_value(other)]
    empty = [""] * count if action.nargs != "?" else []
    given = [*action.option_strings[-1:], *(empty or [""])]
    with pytest.raises(SystemExit) as stop:
        parser.parse_args([*words, *given] if action.option_strings else [*given, *words])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(rf"argument (\S+/)?{re.escape(name_of(action))}", error), error


def usual_value(action: argparse.Action) -> list[str]:
    return [*action.option_strings[-1:], next(iter(action.choices or ["value"]))]


def name_of(action: argparse.Action) -> str:
    if action.option_strings:
        return action.option_strings[-1]
    metavar = action.metavar or action.dest
    return metavar if isinstance(metavar, str) else action.dest


@pytest.mark.parametrize(
    ("parser", "action"),
    [each for each in VALUES if name_of(each.values[1]) != "--results"],
)
def test_numbers_have_a_range(parser: argparse.ArgumentParser, action: argparse.Action) -> None:
    """Options that take 1 or 0.5 reject NaN, infinity and negative values."""
    convert = action.type
    if convert is None or action.choices:
        return
    assert convert not in (int, float)
    numbers = []
    for text in ("1", "0.5", "64"):
        try:
            numbers.append(convert(text))
        except argparse.ArgumentTypeError:
            continue
    if not any(isinstance(number, int | float) for number in numbers):
        return
    for text in ("nan", "inf", "-inf", "-1", "1e400", "", "x", "0x10"):
        with pytest.raises(argparse.ArgumentTypeError, match=r"is not a (whole )?number"):
            convert(text)


def test_sides_are_those_of_the_networks_and_of_what_can_be_made() -> None:
    assert SMALLEST_SIDE == base.SMALLEST_SIDE
    assert math.isqrt(opening.MOST_PIXELS) == LARGEST_SIDE


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["datnet", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("stylize p.png s.png --alpha nan", "--alpha: 'nan' is not a number from 0 to 1"),
        ("stylize p.png s.png --alpha 2", "--alpha: '2' is not a number from 0 to 1"),
        ("stylize p.png s.png --size 0", "--size: '0' is not a whole number from 32 to 13416"),
        ("stylize p.png s.png --style-size 3", "--style-size: '3' is not a whole number from 32"),
        ("stylize p.png s.png --quality 0", "--quality: '0' is not a whole number from 1 to 100"),
        ("stylize p.png s.png --crf 99", "--crf: '99' is not a whole number from 0 to 63"),
        ("stylize p.png s.png --crf -1", "--crf: '-1' is not a whole number from 0 to 63"),
        ("stylize p.png s.png --smoothing 1", "--smoothing: '1' is not a number from 0 and below"),
        ("stylize p.png s.png --steps 0", "--steps: '0' is not a whole number of at least 1"),
        ("stylize p.png s.png --dtype float64", "--dtype: invalid choice: 'float64'"),
        ("stylize p.png --style :3", "--style: it is empty"),
        ("evaluate adain --size 31", "--size: '31' is not a whole number from 32"),
        ("evaluate adain --contents 0", "--contents: '0' is not a whole number of at least 1"),
        ("benchmark --sizes 256 16", "--sizes: '16' is not a whole number from 32 to 4096"),
        ("benchmark --runs 0", "--runs: '0' is not a whole number from 1"),
        ("data prepare a -o b --processes 0", "--processes: '0' is not a whole number from 1"),
        ("data prepare a -o b --quality 101", "--quality: '101' is not a whole number from 1"),
        ("serve --queue 0", "--queue: '0' is not a whole number from 1"),
        ("serve --jobs -1", "--jobs: '-1' is not a whole number from 1"),
        ("serve --port 70000", "--port: '70000' is not a whole number from 1 to 65535"),
        ("serve --max-upload inf", "--max-upload: 'inf' is not a number above 0"),
        ("serve --max-pixels 0", "--max-pixels: '0' is not a number above 0 to 180"),
    ],
)
def test_values_out_of_range_are_told_in_one_line(
    line: str, error: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, *line.split()) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: argument ")
    assert error in message
    assert message.count("\n") == 1


def test_nothing_after_an_option_is_no_value_either(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "stylize", "p.png", "--alpha", 1, "") == 2
    assert "argument pictures: it is empty" in capsys.readouterr().err


def parsed(command: str, *arguments: str) -> argparse.Namespace:
    parser = next(each for each in parsers() if each.prog.endswith(command))
    return parser.parse_args(arguments)


def test_home_is_expanded_wherever_a_path_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    home = Path("/home/me")
    arguments = parsed(
        "stylize", "~/photos/*.jpg", "--style=~/a.jpg:3", "-o=~/{style}.png", "--mask=~/m.png",
        "--checkpoint=~/net", "--regions", "~/1.png", "~/2.png",
    )  # fmt: skip
    assert arguments.pictures == ["/home/me/photos/*.jpg"]
    assert arguments.style == ["/home/me/a.jpg:3"]
    assert arguments.output == "/home/me/{style}.png"
    assert (arguments.mask, arguments.checkpoint) == (home / "m.png", home / "net")
    assert arguments.regions == [home / "1.png", home / "2.png"]
    arguments = parsed("evaluate", "~/net", "--results=Other=~/out/{content}.png", "--pairs=~/p")
    assert (arguments.networks, arguments.pairs) == ([home / "net"], home / "p")
    assert arguments.results == [("Other", "/home/me/out/{content}.png")]
    assert parsed("prepare", "~/photos.zip", "-o", "~/shards").sources == [home / "photos.zip"]
    assert parsed("doctor", "--content=~/coco").content == "/home/me/coco"
    assert parsed("serve", "--checkpoint", "~/net").checkpoint == [home / "net"]
    assert parsed("benchmark", "~/net", "--json=~/cost.json").networks == ["/home/me/net"]
    assert parsed("summarize", "~/sweep").folder == home / "sweep"


def test_the_home_of_a_user_who_is_unknown_is_a_name() -> None:
    assert to_path("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")


def test_without_a_home_there_is_no_cache_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in containers: platformdirs keeps ``~`` if the user id has no user."""
    for variable in ("HOME", "XDG_CACHE_HOME", "DATNET_CACHE", "DATNET_WEIGHTS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "weights", "list") == 1
    error = capsys.readouterr().err
    assert error == "error: there is no home folder for the cache; set DATNET_CACHE to a folder\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("variable", ["DATNET_WEIGHTS", "DATNET_CACHE"])
def test_an_empty_variable_is_named(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "")
    assert call(monkeypatch, "weights", "path", "vgg19") == 1
    error = capsys.readouterr().err
    assert error == f"error: ${variable} is empty; set it to a folder, or unset it\n"
