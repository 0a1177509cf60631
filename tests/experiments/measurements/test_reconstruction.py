from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from experiments.measurements import reconstruction
from experiments.measurements.reconstruction import measure, row


class Stub:
    """A network that only changes contrast about the middle and brightness."""

    def __init__(self, contrast: float = 1.0, brightness: float = 0.0) -> None:
        self.contrast, self.brightness = contrast, brightness

    def __call__(self, content: Tensor, style: Tensor) -> Tensor:
        assert content is style
        return (content - 0.5) * self.contrast + 0.5 + self.brightness


@pytest.fixture
def photographs() -> list[Tensor]:
    """Values of 8 bits between 1/4 and 3/4 of the range, which no stub clips."""
    generator = torch.Generator().manual_seed(0)
    small = torch.rand(2, 1, 3, 8, 8, generator=generator) / 2 + 0.25
    large = small.repeat_interleave(16, -1).repeat_interleave(16, -2)  # tones of 32² differ
    return list((large * 255).round() / 255)


def test_identity_is_perfect(photographs: list[Tensor]) -> None:
    for same in measure(Stub(), photographs):  # type: ignore[arg-type]
        assert same == pytest.approx((1, 0, 1, 1), abs=1e-4)


def test_half_contrast_and_brightness(photographs: list[Tensor]) -> None:
    for flat in measure(Stub(contrast=0.5, brightness=0.1), photographs):  # type: ignore[arg-type]
        mean = reconstruction.luminance(photographs[0]).mean().item()
        assert abs(mean - 0.5) < 0.05
        assert flat.contrast == pytest.approx(0.5, abs=0.01)
        assert flat.lightness == pytest.approx(0.1, abs=0.03)
        assert flat.ssim < 0.9
        assert flat.tones == pytest.approx(1, abs=1e-3)


def test_negatives_and_constants(photographs: list[Tensor]) -> None:
    negative, gray = (measure(Stub(contrast), photographs[:1])[0] for contrast in (-1, 0))  # type: ignore[arg-type]
    assert negative.tones == pytest.approx(-1, abs=1e-4)
    assert (gray.contrast, gray.tones) == pytest.approx((0, 0), abs=1e-6)


def test_worst_is_the_farthest() -> None:
    measured = [
        reconstruction.Reconstruction(1.5, -0.3, 0.9, 0.8),
        reconstruction.Reconstruction(0.8, 0.1, 0.7, 1.0),
    ]
    assert row(measured) == [
        *("1.150", "1.500", "0.200", "-0.300", "0.800", "0.700", "0.900", "0.800")
    ]


def test_command(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One row for every network and size, in the order of the sizes."""
    monkeypatch.setattr(reconstruction, "find_network", Path)
    monkeypatch.setattr(reconstruction, "load_network", lambda path: Stub())
    arguments = ["one", "two", "--photos", str(pictures / "content"), "--sizes", "64", "96"]
    monkeypatch.setattr("sys.argv", ["reconstruction", *arguments, "--number", "3"])
    reconstruction.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3 photographs")
    cells = [[cell.strip() for cell in line.split(" | ")] for line in lines[4:]]
    assert [[c[0].strip("| "), c[1]] for c in cells] == [
        *(["one", "64²"], ["two", "64²"], ["one", "96²"], ["two", "96²"])
    ]
    assert all(c[2] == "1.000" for c in cells)


def test_bad_input_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, message in (
        (["nothing"], "nothing does not exist"),
        (["adain", "--sizes", "32"], "sizes must be at least 64"),
    ):
        monkeypatch.setattr("sys.argv", ["reconstruction", *arguments])
        with pytest.raises(SystemExit) as stop:
            reconstruction.main()
        assert stop.value.code != 0
        assert message in capsys.readouterr().err
