from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from datnet.commands.main import main
from datnet.errors import DatNetError
from datnet.evaluation.sweep_summary import (
    csv_text,
    default_metrics,
    groups_of,
    read_runs,
    table,
    varied_settings,
)


def write_run(
    sweep: Path, name: str, seed: int, rate: float, metrics: dict[str, float] | None, **more: Any
) -> None:
    """The files of a run that summaries read."""
    folder = sweep / f"{name},{seed},{rate}"
    folder.mkdir(parents=True)
    config = {
        "name": name,
        "seed": seed,
        "data": {"seed": seed, "crop_size": 64},
        "run_dir": str(folder),
        "model": {
            "name": name,
            "network": {"channel_attention": int(name != "datnet_spatial")},
            "objective": {"content_restoration": 5.0 if name == "datnet_full" else 0.0},
            "recipe": {"learning_rate": rate},
        },
        **more,
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    (folder / "metrics.csv").write_text("step,train/loss\n1,5.0\n7,4.0\n")
    if metrics is not None:
        (folder / "finished.json").write_text(json.dumps({"steps": 8, "metrics": metrics}))


@pytest.fixture
def ablation(tmp_path: Path) -> Path:
    for number, name in enumerate(("datnet_spatial", "datnet_dual", "datnet_full")):
        for seed in (1, 2, 3):
            value = number + 0.1 * seed
            metrics = {"final/ssim": value, "validation/loss": 100 * value}
            write_run(tmp_path, name, seed, 1e-4, metrics)
    write_run(tmp_path, "datnet_full", 4, 1e-4, None)
    return tmp_path


def test_only_runs_are_listed(ablation: Path) -> None:
    """Hydra writes a config.yaml of its own into every run, and one for every job of a sweep."""
    names = {run.folder.name for run in read_runs(ablation)}
    for folder in (*ablation.iterdir(), ablation, ablation / ".hydra_jobs"):
        (folder / ".hydra").mkdir(parents=True)
        (folder / ".hydra" / "config.yaml").write_text("seed: 1\n")
    assert {run.folder.name for run in read_runs(ablation)} == names


def test_sweeps_side_by_side_are_read_as_one(tmp_path: Path) -> None:
    """As with a sweep per GPU; wandb's folders in a run are not runs."""
    for seed in (1, 2):
        sweep = tmp_path / f"seed_{seed}"
        write_run(sweep, "datnet_dual", seed, 1e-4, {"final/ssim": seed / 10})
        copy = next(sweep.iterdir()) / "wandb" / "run" / "files" / "config.yaml"
        copy.parent.mkdir(parents=True)
        copy.write_text("{}")
    (group,) = groups_of(read_runs(tmp_path))
    assert group.values("final/ssim") == [0.1, 0.2]


def test_means_and_deviations_over_seeds(ablation: Path) -> None:
    groups = groups_of(read_runs(ablation))
    assert [(group.settings, len(group.runs)) for group in groups] == [
        ({"name": "datnet_dual"}, 3),
        ({"name": "datnet_full"}, 3),
        ({"name": "datnet_spatial"}, 3),
    ]
    lines = table(groups, ["final/ssim", "validation/loss"]).splitlines()
    assert lines[0].split("|")[1:-1] == [
        text + " " * (len(cell) - len(text))
        for cell, text in zip(
            lines[0].split("|")[1:-1],
            (" name", " seeds", " SSIM ↑", " validation/loss ↓"),
            strict=True,
        )
    ]
    assert "1.2000 ± 0.1000" in lines[2]  # sample standard deviation, n - 1
    assert "120.00 ± 10.00" in lines[2]


def test_what_varies_is_found(tmp_path: Path) -> None:
    """Settings that follow from the network's name are redundant; two values are two rows."""
    for rate in (1e-4, 2e-4):
        for name in ("datnet_dual", "datnet_full"):
            write_run(tmp_path, name, 1, rate, {"final/ssim": rate})
    runs = read_runs(tmp_path)
    assert varied_settings(runs) == ["name", "model.recipe.learning_rate"]
    assert len(groups_of(runs)) == 4
    assert groups_of(runs)[0].title == "datnet_dual, learning_rate 0.0001"


def test_losses_of_different_objectives_are_not_compared(ablation: Path, tmp_path: Path) -> None:
    assert default_metrics(groups_of(read_runs(ablation))) == ["final/ssim"]
    same = tmp_path / "same"
    for seed in (1, 2):
        write_run(same, "datnet_full", seed, 1e-4, {"final/ssim": 1, "validation/loss": 2})
    assert default_metrics(groups_of(read_runs(same))) == ["final/ssim", "validation/loss"]


def test_csv_has_every_run_at_full_precision(ablation: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(groups_of(read_runs(ablation))))))
    assert len(rows) == 9
    assert {row["seed"] for row in rows} == {"1", "2", "3"}
    assert float(rows[0]["validation/loss"]) == 100 * (1 + 0.1 * 1)
    assert rows[0]["folder"] == "datnet_dual,1,0.0001"


def test_command(
    ablation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["datnet", "summarize", str(ablation)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert "not finished: datnet_full,4,0.0001 (step 7)" in printed
    assert (ablation / "summary.md").read_text() in printed
    with Image.open(ablation / "summary.png") as image:
        assert min(image.size) > 100
    assert (ablation / "summary.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["summarize", "{empty}"], "holds no runs; give the folder of a sweep"),
        (["summarize", "{sweep}", "--metrics", "final/sim"], "they have final/ssim"),
        (["summarize", "{unfinished}"], "none of the 1 runs"),
    ],
)
def test_bad_input(
    arguments: list[str],
    message: str,
    ablation: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    write_run(tmp_path / "unfinished", "datnet_full", 1, 1e-4, None)
    places = {name: tmp_path / name for name in ("empty", "unfinished")} | {"sweep": ablation}
    monkeypatch.setattr("sys.argv", ["datnet", *(each.format(**places) for each in arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert message in capsys.readouterr().err


def test_no_seed_twice_no_deviation(tmp_path: Path) -> None:
    write_run(tmp_path, "datnet_full", 1, 1e-4, {"final/ssim": 0.5})
    write_run(tmp_path, "datnet_dual", 1, 1e-4, {"final/psnr": 20.0})
    text = table(groups_of(read_runs(tmp_path)), ["final/ssim", "final/psnr"])
    assert "±" not in text
    assert "–" in text
    with pytest.raises(DatNetError, match="holds no runs"):
        read_runs(tmp_path / "nowhere")
