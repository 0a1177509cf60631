from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from datnet.training.sweep import folder_name


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
def test_sweep(small_overrides: list[str], tmp_path: Path) -> None:
    """One job fails, others finish; repeated, nothing is trained twice; a wandb run for each."""
    sweep = [
        "-m",
        *small_overrides,
        *("model=adain", "data.crop_size=16,32,48", "logger=wandb"),
        *("trainer.max_steps=1", "sweep=mine"),
    ]
    result = train(sweep, tmp_path)
    assert result.returncode == 1
    assert "2 of 3 jobs done" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
    assert result.stderr.count("crop_size must be at least 32, not 16") == 1
    networks = sorted((tmp_path / "sweeps" / "mine").glob("*/network.safetensors"))
    assert len(networks) == 2
    configs = [OmegaConf.load(path.parent / "config.yaml") for path in networks]
    assert {config.data.crop_size for config in configs} == {32, 48}
    runs = [sorted(path.parent.glob("wandb/offline-run-*/run-*.wandb")) for path in networks]
    assert [len(files) for files in runs] == [1, 1]
    assert runs[0][0].name != runs[1][0].name

    written = [path.stat().st_mtime_ns for path in networks]
    assert train(sweep, tmp_path).returncode == 1
    assert [path.stat().st_mtime_ns for path in networks] == written


@pytest.mark.slow
def test_two_processes_train_what_one_does_with_twice_the_batch(
    small_overrides: list[str], tmp_path: Path
) -> None:
    common = [*small_overrides, "model=adain", "trainer.max_steps=2"]
    one = train([*common, "data.batch_size=4", "run_dir=one"], tmp_path)
    assert one.returncode == 0, one.stderr
    two = train(
        [
            *common,
            *("data.batch_size=2", "run_dir=two", "trainer.devices=2", "trainer.strategy=ddp"),
        ],
        tmp_path,
    )
    assert two.returncode == 0, two.stderr
    expected, got = (load_file(tmp_path / name / "network.safetensors") for name in ("one", "two"))
    difference = torch.cat([(got[n] - tensor).abs().flatten() for n, tensor in expected.items()])
    # Adam's first steps are the learning rate times the gradient's sign, so a few weights whose
    # gradient is rounding noise differ by up to 2e-4; with other pairs nearly all would.
    assert (difference < 1e-5).float().mean() > 0.999
    assert difference.mean() < 1e-7


def test_folder_names() -> None:
    """The same job has the same folder in any sweep, and odd characters stay out of it."""
    assert folder_name(["seed=1", "model=adain"]) == folder_name(["model=adain", "seed=1"])
    assert folder_name(["seed=1", "model=adain"]) == "model=adain,seed=1"
    first, second = (folder_name([f"data.content_dir=/data/{name}"]) for name in ("a b", "a_b"))
    assert first != second
    assert "/" not in first
    assert " " not in first
    assert len(folder_name([f"key{i}=value{i}" for i in range(50)])) < 200
