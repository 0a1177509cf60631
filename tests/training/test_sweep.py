from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from lightning_utilities.core.rank_zero import rank_zero_only
from omegaconf import OmegaConf
from safetensors.torch import load_file

from datnet.images.files import write_text
from datnet.training import run
from datnet.training.processes import TIME_IS_UP, is_first_process
from datnet.training.run_folder import RunFolder
from datnet.training.sweep import (
    OUTCOMES,
    SweepReport,
    folder_name,
    passing_signals_to,
    run_job,
)
from datnet.zoo.network_file import read_checkpoint, read_description
from tests.helpers.wandb_file import WandbRun


def train(overrides: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "datnet", "train", *overrides],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_sweep(small_overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One job fails, others finish; repeated, nothing is trained twice; a wandb run for each."""
    sweep = [
        "-m",
        *small_overrides,
        *("model=adain", "data.short_side=30,40,48", "logger=wandb"),
        *("trainer.max_steps=1", "sweep=mine"),
    ]
    result = train(sweep, tmp_path)
    assert result.returncode == 1
    assert "2 of 3 jobs done" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    assert result.stderr.count("short_side (30) must be at least crop_size (32)") == 1
    networks = sorted((tmp_path / "sweeps" / "mine").glob("*/network.safetensors"))
    assert len(networks) == 2
    configs = [OmegaConf.load(path.parent / "config.yaml") for path in networks]
    assert {config.data.short_side for config in configs} == {40, 48}
    runs = [sorted(path.parent.glob("wandb/offline-run-*/run-*.wandb")) for path in networks]
    assert [len(files) for files in runs] == [1, 1]
    assert runs[0][0].name != runs[1][0].name
    assert {WandbRun(files[0]).run.run_group for files in runs} == {"mine"}

    written = [path.stat().st_mtime_ns for path in networks]
    again = ["data.short_side=40,48" if "=30," in each else each for each in sweep]
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    result = train(again, tmp_path)
    assert result.returncode == 0
    assert "2 of 2 jobs done" in result.stdout
    assert "datnet.training.module" not in result.stderr  # no job's process was started
    assert [path.stat().st_mtime_ns for path in networks] == written


@pytest.mark.slow
def test_jobs_side_by_side_in_two_processes_each(
    small_overrides: list[str], tmp_path: Path
) -> None:
    """A launcher with processes of its own, and DDP inside: ports, folders, outcomes."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    command = [
        *("-m", *small_overrides, "model=adain", "hydra/launcher=submitit_local"),
        "data.short_side=30,40,48",
        *("trainer.devices=2", "trainer.strategy=ddp", "trainer.max_steps=1", "sweep=mine"),
    ]
    result = train(command, tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "2 of 3 jobs done" in result.stdout
    assert result.stderr.count("failed: ") == 1
    networks = sorted((tmp_path / "sweeps" / "mine").glob("*/network.safetensors"))
    assert len(networks) == 2
    first, second = (load_file(path) for path in networks)
    assert not all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert {read_description(path).training["images_per_step"] for path in networks} == {4}


@pytest.mark.slow
def test_a_stopped_sweep_stops_its_job_and_goes_on(
    small_overrides: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "datnet.training", "-m", *small_overrides]
    command += ["model=adain", "seed=1,2", "checkpoint_every=1", "sweep=mine"]
    folder = tmp_path / "sweeps" / "mine"
    with subprocess.Popen([*command, "trainer.max_steps=100000"], cwd=tmp_path) as process:
        while not list(folder.glob("*/checkpoints/last.ckpt")) and process.poll() is None:
            time.sleep(0.1)
        process.terminate()
        assert process.wait(120) == 128 + signal.SIGTERM
    (checkpoint,) = folder.glob("*/checkpoints/last.ckpt")  # the second job was not started
    step = read_checkpoint(checkpoint)[0]
    with RunFolder(checkpoint.parents[1]).reserved():  # no process trains there any more
        assert step >= 1


def test_a_sweep_under_torchrun_says_what_to_do(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "datnet.training", "-m", "model=adain,sanet"],
        cwd=tmp_path,
        env=os.environ | {"WORLD_SIZE": "2", "RANK": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 1
    assert "torchrun would run the whole sweep 2 times" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.slow
@pytest.mark.parametrize("point", ["half a checkpoint", "between renamings"])
def test_what_is_killed_goes_on_as_if_nothing_had_been(
    settings, tmp_path: Path, point: str
) -> None:
    """`python -m experiments.measurements.kills` does this many times at more points."""
    overrides = ["model=adain", "trainer.max_steps=3", "checkpoint_every=1"]
    run.train(settings(*overrides, f"run_dir={tmp_path / 'whole'}"))
    mark = tmp_path / "killed"
    OmegaConf.save(settings(*overrides, "ckpt_path=last"), tmp_path / "config.yaml", resolve=True)
    program = (
        "import sys; from omegaconf import OmegaConf; from datnet.training.run import train;"
        "from experiments.measurements.kills import die_at; die_at(sys.argv[1], 1, sys.argv[2]);"
        "train(OmegaConf.load(sys.argv[3]))"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, point, str(mark), str(tmp_path / "config.yaml")],
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert mark.exists()
    run.train(settings(*overrides, "ckpt_path=last"))
    expected, got = (load_file(tmp_path / n / "network.safetensors") for n in ("whole", "run"))
    assert all(torch.equal(expected[name], got[name]) for name in expected)


@pytest.mark.slow
def test_two_processes_train_what_one_does_with_twice_the_batch(
    settings, small_overrides: list[str], tmp_path: Path
) -> None:
    """In double precision, since Adam's first steps are the learning rate times the gradient's
    sign: where a gradient is rounding noise of float32, weights would differ by twice that."""
    common = ["model=adain", "trainer.max_steps=2", "trainer.precision=64-true"]
    run.train(settings(*common, "data.batch_size=4", f"run_dir={tmp_path / 'one'}"))
    two = train(
        [
            *small_overrides,
            *common,
            *("data.batch_size=2", "run_dir=two", "trainer.devices=2", "trainer.strategy=ddp"),
        ],
        tmp_path,
    )
    assert two.returncode == 0, two.stderr
    expected, got = (load_file(tmp_path / name / "network.safetensors") for name in ("one", "two"))
    for name, tensor in expected.items():
        torch.testing.assert_close(got[name], tensor, rtol=0, atol=1e-5)


def test_submitit_puts_a_job_back_when_its_training_has_saved() -> None:
    """Its signal is forwarded first."""
    ended = []
    before = signal.signal(signal.SIGUSR2, lambda *_: ended.append(process.poll()))
    try:
        with subprocess.Popen(["sleep", "60"]) as process, passing_signals_to(process):
            os.kill(os.getpid(), signal.SIGUSR2)
            process.wait()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert ended == [-signal.SIGUSR2]


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_the_first_of_several_processes_is_known_without_lightning(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delattr(rank_zero_only, "rank")
    assert is_first_process()
    for rank in (0, 2):
        monkeypatch.setenv(variable, str(rank))
        assert is_first_process() == (rank == 0)


@pytest.mark.parametrize(
    ("exit_code", "status"),
    [(128 + signal.SIGTERM, 143), (-signal.SIGINT, 130), (-signal.SIGTERM, 143)],
)
def test_a_stopped_job_stops_the_sweep(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exit_code: int, status: int
) -> None:
    """Also one that is stopped before it handles signals itself, which has a negative code."""
    hydra = OmegaConf.create({"overrides": {"task": []}, "sweep": {"dir": str(tmp_path)}})
    hydra.sweeper = {}
    monkeypatch.setattr("datnet.training.sweep.HydraConfig.get", lambda: hydra)
    monkeypatch.setattr("datnet.training.sweep._train", lambda *_: exit_code)
    with pytest.raises(SystemExit) as ended:
        run_job(settings())
    assert ended.value.code == status
    assert not (tmp_path / OUTCOMES).exists()


def test_a_job_whose_time_is_up_is_not_finished_rather_than_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, code in (("a", TIME_IS_UP), ("b", 1), ("c", 0)):
        write_text(tmp_path / OUTCOMES / f"{name}.json", json.dumps({"exit_code": code}))
    SweepReport().on_multirun_end(OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}}))
    assert SweepReport.failed
    SweepReport.failed = False
    printed = capsys.readouterr()
    assert "1 of 3 jobs done" in printed.out
    assert [line.split(" (")[0] for line in printed.err.splitlines()] == [
        "not finished: a",
        "failed: b",
    ]


@pytest.mark.parametrize(("direction", "worst"), [("minimize", "inf"), ("maximize", "-inf")])
def test_a_failed_job_is_the_worst_of_a_search(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, direction: str, worst: str
) -> None:
    hydra = OmegaConf.create(
        {
            "overrides": {"task": ["seed=-1"]},
            "sweep": {"dir": str(tmp_path)},
            "sweeper": {"direction": direction},
        }
    )
    monkeypatch.setattr("datnet.training.sweep.HydraConfig.get", lambda: hydra)
    monkeypatch.setattr("datnet.training.sweep._train", lambda *_: 1)
    assert run_job(settings()) == float(worst)


def test_folder_names() -> None:
    """The same job has the same folder in every sweep, without special characters."""
    assert folder_name(["seed=1", "model=adain"]) == folder_name(["model=adain", "seed=1"])
    assert folder_name(["seed=1", "model=adain"]) == "model=adain,seed=1"
    first, second = (folder_name([f"data.content_dir=/data/{name}"]) for name in ("a b", "a_b"))
    assert first != second
    assert "/" not in first
    assert " " not in first
    assert len(folder_name([f"key{i}=value{i}" for i in range(50)])) < 200


def test_a_sweep_and_the_help_start_without_torch() -> None:
    """Importing torch and Lightning takes seconds, which must not delay simple errors."""
    program = (
        "import sys, datnet.training.__main__ as m; assert m.main; print(*sorted(sys.modules))"
    )
    modules = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "hydra" in modules
    assert not {"torch", "lightning", "torchvision", "wandb"} & set(modules)
