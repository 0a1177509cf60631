from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from datnet.errors import DatNetError
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.summary import Estimate
from datnet.zoo.network_file import NetworkDescription
from experiments import ladder


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """Checkpoints of a training whose results get brighter ever more slowly."""
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    network = {"_target_": "tests.helpers.pixel_network.PixelNetwork"}
    description = NetworkDescription("pixel", network, {}, {"images_per_step": 10})
    (run / "description.json").write_text(json.dumps(asdict(description)))
    for step, light in ((100, 0.4), (200, 0.3), (300, 0.25), (400, 0.2), (500, 0.1)):
        state = {"network.tint": torch.full((3, 1, 1), light)}
        path = run / "checkpoints" / f"step_{step:06d}.ckpt"
        torch.save({"global_step": step, "state_dict": state}, path)
    return run


def test_rungs_are_doublings_and_the_last(training: Path, tmp_path: Path) -> None:
    steps = [path.stem for path in ladder.doublings(training)]
    assert steps == ["step_000100", "step_000200", "step_000400", "step_000500"]
    with pytest.raises(DatNetError, match="keep_every"):
        ladder.doublings(tmp_path)


def test_runs_of_one_model_have_curves_of_their_own() -> None:
    runs = {Path("a/seed_1"): "adain", Path("a/seed_2"): "adain", Path("b"): "sanet"}
    assert list(ladder.curve_names(runs).values()) == ["adain a_seed_1", "adain a_seed_2", "sanet"]


def rung(pairs: int, ssim: float, has_late_crops: bool) -> ladder.Rung:
    estimates = {column.key: Estimate(ssim) for column in ladder.COLUMNS}
    return ladder.Rung("pixel", pairs // 4, pairs, has_late_crops, estimates)


def test_the_slope_is_that_before_the_crops_changed() -> None:
    before = [rung(100_000, 0.3, False), rung(200_000, 0.4, False)]
    table = ladder.describe([*before, rung(210_000, 0.9, True)])
    (prolonged,) = (line for line in table.splitlines() if "400,000?" in line)
    assert prolonged.split("|")[3].strip() == "0.5000"
    assert "?" not in ladder.describe([rung(1, 0.3, False), rung(2, 0.9, True)]).split("A row")[0]


@pytest.mark.slow
@pytest.mark.network
def test_ladder(
    training: Path, one_picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    try:
        Metrics.pretrained()
    except DatNetError as error:
        pytest.skip(f"weights of the metrics cannot be had: {error}")
    folders = ("--content", one_picture, "--style", one_picture, "--output", tmp_path / "out")
    arguments = ["ladder", training, *folders, "--size", 64]
    monkeypatch.setattr(sys, "argv", list(map(str, arguments)))
    ladder.main()
    printed = capsys.readouterr().out
    assert [line.split("|")[2].strip() for line in printed.splitlines() if "| pixel " in line][
        :5
    ] == ["1,000", "2,000", "4,000", "5,000", "400,000?"]
    report = json.loads((tmp_path / "out" / "ladder.json").read_text())
    psnr = [rung["psnr"]["mean"] for rung in report["rungs"]]
    assert psnr == sorted(psnr)
    assert psnr[0] < psnr[-1]
    assert (tmp_path / "out" / "ladder.png").stat().st_size > 5000
    assert (tmp_path / "out" / "ladder.pdf").read_bytes().startswith(b"%PDF")
