"""Clips with networks that know only certain paintings."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datnet import Stylizer
from datnet.commands.main import main
from datnet.errors import DatNetError
from tests.helpers.own_paintings import PAINTINGS, own_stylizers

pytest.importorskip("av")

from datnet.stylize.clips import stylize_video
from tests.helpers.clips import read_clip, write_clip


@pytest.fixture(scope="module")
def stylizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stylizer]:
    return own_stylizers(tmp_path_factory.mktemp("networks"))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    frames = [np.full((48, 64, 3), value, np.uint8) for value in (0, 100)]
    return write_clip(tmp_path / "clip.mp4", frames)


@pytest.mark.parametrize("name", ["one", "two", "tuned"])
def test_the_painting_is_given_by_name_or_as_a_picture(
    stylizers: dict[str, Stylizer], clip: Path, tmp_path: Path, name: str
) -> None:
    def stylized(painting: str | Image.Image) -> list[np.ndarray]:
        stylize_video(stylizers[name], clip, painting, tmp_path / "out.mp4")
        return read_clip(tmp_path / "out.mp4").frames

    by_name = stylized("a.jpg")
    assert len(by_name) == 2
    assert np.array_equal(by_name, stylized(PAINTINGS["a.jpg"]))


def test_paintings_mix(stylizers: dict[str, Stylizer], clip: Path, tmp_path: Path) -> None:
    def mean(**settings: object) -> float:
        stylize_video(stylizers["two"], clip, list(PAINTINGS), tmp_path / "out.mp4", **settings)
        return float(np.mean(read_clip(tmp_path / "out.mp4").frames))

    first, both, second = (mean(weights=weights) for weights in ([99, 1], [1, 1], [1, 99]))
    assert first + 5 < both < second - 5


def test_an_unknown_painting_is_one_line_and_leaves_no_file(
    stylizers: dict[str, Stylizer], clip: Path, tmp_path: Path
) -> None:
    for name, names in (("one", "a.jpg"), ("two", "a.jpg, more/b.jpg"), ("tuned", "a.jpg")):
        with pytest.raises(DatNetError) as error:
            stylize_video(
                stylizers[name], clip, Image.new("RGB", (50, 50), "white"), tmp_path / "out.mp4"
            )
        assert str(error.value).endswith(f"does not know this painting, only {names}")
        assert not (tmp_path / "out.mp4").exists()


def test_the_command_needs_no_painting(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own_stylizers(tmp_path)

    def call(name: str) -> int:
        arguments = ["stylize", clip, "-o", tmp_path / "out.mp4", "--device", "cpu"]
        arguments += ["--checkpoint", tmp_path / f"{name}.safetensors"]
        monkeypatch.setattr(sys, "argv", ["datnet", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0)

    assert call("one") == 0
    assert len(read_clip(tmp_path / "out.mp4").frames) == 2
    assert call("two") == 1
    assert "knows 2 paintings; choose with --style: a.jpg, more/b.jpg" in capsys.readouterr().err
