from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def one_picture(pictures: Path) -> Path:
    """A folder with a single picture."""
    folder = pictures / "one"
    folder.mkdir()
    Image.open(pictures / "content" / "0.png").save(folder / "picture.png")
    return folder


@pytest.fixture
def experiment(
    tmp_path: Path,
    one_picture: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Run a module of experiments/ on a small pair, into tmp_path/out; return its output."""

    def run(module: str, *arguments: str) -> str:
        command = [
            *(module, "--output", str(tmp_path / "out"), "--size", "64"),
            *("--eval-content", str(one_picture), "--eval-style", str(one_picture)),
            *arguments,
        ]
        monkeypatch.setattr(sys, "argv", command)
        try:
            runpy.run_module(f"experiments.{module}", run_name="__main__")
        except SystemExit as stop:
            output = capsys.readouterr()
            if "could not be fetched" in output.err:
                pytest.skip(f"weights of the metrics cannot be had: {output.err}")
            if stop.code:
                pytest.fail(output.err)
            return output.out
        raise AssertionError("a module that is run as a program ends with a status")

    return run
