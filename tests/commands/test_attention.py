"""`datnet attention` from its command line to its figure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from datnet.commands.main import main
from tests.helpers.pixel_network import write_pixel_network

pytest.importorskip("matplotlib")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Image.radial_gradient("L").resize((64, 48)).convert("RGB").save(tmp_path / "photo.png")
    Image.linear_gradient("L").resize((40, 40)).convert("RGB").save(tmp_path / "painting.png")
    write_pixel_network(tmp_path / "network.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    words = ["datnet", "attention", "photo.png", "painting.png"]
    monkeypatch.setattr(sys, "argv", [*words, "--checkpoint", "network.safetensors", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_figures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch) == 0
    correspondence = Image.open("attention.png")
    assert correspondence.width > 3 * 64
    assert correspondence.height > 2 * 48
    assert call(monkeypatch, "--at", "10,20", "--at", "50%,90%", "-o", "points.png") == 0
    points = Image.open("points.png")
    assert points.width > 2 * 64 + 48
    assert points.height > 2 * 48
    assert call(monkeypatch, "--size", "32", "-o", "figure.pdf") == 0
    assert Path("figure.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--at", "64,0"), 1, "photo.png has 64 × 48 pixels; the point is outside"),
        (("--at", "10"), 2, "'10' is not a point X,Y"),
        (("--at", "100%,0"), 2, "'100%,0' is not a point X,Y"),
        (("--at", "nan,0"), 2, "is not a point X,Y"),
        (("-o", "figure.jpg"), 1, "figure.jpg: a figure is written as .png or .pdf"),
        (("--gates",), 1, "no channel attention"),
        (("--gates", "--at", "1,1"), 2, "not allowed with"),
    ],
)
def test_mistakes_get_one_line(
    arguments: tuple[str, ...],
    status: int,
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, *arguments) == status
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not Path("attention.png").exists()
