"""Imports that a user has to wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest


def imported(code: str) -> set[str]:
    """Names of the packages that a fresh Python has imported after some code."""
    code += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split("\n")[-2].split())


def test_the_stylizer_brings_nothing_of_training() -> None:
    there = imported("from datnet import Stylizer")
    assert "torch" in there
    unneeded = {"hydra", "omegaconf", "lightning", "wandb", "matplotlib", "torchvision", "av"}
    assert not there & unneeded


@pytest.mark.parametrize("command", [(), ("doctor",), ("stylize",), ("info",)])
def test_help_needs_no_torch(command: tuple[str, ...]) -> None:
    there = imported(
        f"import sys; sys.argv = ['datnet', *{command}, '--help']\n"
        "from datnet.commands.main import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code"
    )
    assert "datnet" in there
    assert not there & {"torch", "numpy", "hydra", "lightning", "wandb"}
