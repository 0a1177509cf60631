from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def one_picture(pictures: Path) -> Path:
    """A folder with a single picture."""
    folder = pictures / "one"
    folder.mkdir()
    Image.open(pictures / "content" / "0.png").save(folder / "picture.png")
    return folder


@pytest.fixture
def experiment(tmp_path: Path, one_picture: Path) -> Callable[..., str]:
    """Run a module of experiments/ on one pair, with results in tmp_path/out; its output."""

    def run(module: str, *arguments: str) -> str:
        command = [
            *(sys.executable, "-m", f"experiments.{module}", "--output", str(tmp_path / "out")),
            *("--eval-content", str(one_picture), "--eval-style", str(one_picture)),
            *arguments,
        ]
        result = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, timeout=900, check=False
        )
        if "could not be fetched" in result.stderr:
            pytest.skip(f"weights of the metrics cannot be had: {result.stderr}")
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run
