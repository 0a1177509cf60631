from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from datnet.errors import DatNetError
from datnet.training import run
from datnet.training.checkpoint_files import damage, newest_whole_checkpoint
from datnet.training.checkpoints import CheckpointFiles
from datnet.training.exits import exits_of_training
from datnet.training.module import StyleTransferModule
from datnet.training.run_folder import RunFolder
from datnet.training.stopping import Stopped
from datnet.zoo.network_file import read_checkpoint
from datnet.zoo.run_files import LAST, PREVIOUS
from tests.helpers.full_disk import files_end_at


def write(folder: Path, step: int, name: str = LAST) -> Path:
    CheckpointFiles().save_checkpoint(
        {"global_step": step, "weights": torch.full((1000,), float(step))}, folder / name
    )
    return folder / name


def test_the_last_but_one_is_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        write(tmp_path, step)
    write(tmp_path, 3, "step_000003.ckpt")
    assert {path.name: read_checkpoint(path)[0] for path in tmp_path.iterdir()} == {
        LAST: 3,
        PREVIOUS: 2,
        "step_000003.ckpt": 3,
    }


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    write(tmp_path, 1)
    refusal = r"step 2 cannot be written.*File too large.*room"
    with files_end_at(2000), pytest.raises(DatNetError, match=refusal):
        write(tmp_path, 2)
    assert [path.name for path in tmp_path.iterdir()] == [LAST]
    assert read_checkpoint(tmp_path / LAST)[0] == 1


def test_a_full_disk_ends_a_training_with_words(
    settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """metrics.csv and images are also written to the disk."""
    config = settings("model=adain", "trainer.max_steps=2")
    with (
        files_end_at(500),
        pytest.raises(SystemExit) as ended,
        exits_of_training(config.run_dir),
    ):
        run.train(config)
    assert ended.value.code == 1
    assert "File too large" in capsys.readouterr().err


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_checkpoint_is_recognised(share: float, tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    assert damage(path) is None
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert damage(path)


def test_a_flipped_bit_is_recognised(tmp_path: Path) -> None:
    path = write(tmp_path, 1)
    content = bytearray(path.read_bytes())
    content[content.index(torch.tensor(1.0).numpy().tobytes() * 10) + 18] ^= 4
    path.write_bytes(content)
    torch.load(path, weights_only=True)  # PyTorch does not see it
    assert "checksum" in str(damage(path))


def test_a_damaged_checkpoint_is_left_for_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert newest_whole_checkpoint(tmp_path) is None
    for step in (1, 2):
        write(tmp_path, step)
    write(tmp_path, 0, "step_000000.ckpt")
    (tmp_path / LAST).write_bytes(b"")
    assert newest_whole_checkpoint(tmp_path) == tmp_path / PREVIOUS
    assert f"{tmp_path / LAST} is damaged" in caplog.text

    write(tmp_path, 2)  # the damaged one does not take the place of the previous one
    assert read_checkpoint(tmp_path / PREVIOUS)[0] == 1

    for name in (LAST, PREVIOUS):
        (tmp_path / name).write_bytes(b"PK")
    assert newest_whole_checkpoint(tmp_path) == tmp_path / "step_000000.ckpt"
    (tmp_path / "step_000000.ckpt").write_bytes(b"")
    with pytest.raises(DatNetError, match=r"step_000000\.ckpt is damaged.*to start again"):
        newest_whole_checkpoint(tmp_path)


class Burglar:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_checkpoint_with_code_is_refused(settings, tmp_path: Path) -> None:
    evidence = tmp_path / "broken_in"
    checkpoint = tmp_path / "evil.ckpt"
    torch.save({"global_step": 1, "state_dict": {"x": Burglar(evidence)}}, checkpoint)
    with pytest.raises(DatNetError, match=r"evil\.ckpt is damaged or not a checkpoint"):
        run.train(settings("model=adain", f"ckpt_path={checkpoint}"))
    assert not evidence.exists()
    torch.load(checkpoint, weights_only=False)
    assert evidence.exists()  # it would have


def test_two_trainings_do_not_share_a_folder(settings, tmp_path: Path) -> None:
    config = settings("model=adain", "trainer.max_steps=1")
    with (
        RunFolder(tmp_path / "run").reserved(),
        pytest.raises(DatNetError, match="another process trains in"),
    ):
        run.train(config)


def signal_in(step: int, number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a signal in the first batch of a step."""
    original = StyleTransferModule.training_step
    sent = []

    def signalled(self, batch, batch_index):
        if self.global_step == step and not sent:
            sent.append(number)
            os.kill(os.getpid(), number)
        return original(self, batch, batch_index)

    monkeypatch.setattr(StyleTransferModule, "training_step", signalled)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_saves_and_stops_after_the_step(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """In the middle of an accumulation; the resumed run equals an uninterrupted one."""
    overrides = ["model=adain", "trainer.max_steps=3", "trainer.accumulate_grad_batches=2"]
    handler = signal.getsignal(number)
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f"#!/bin/sh\necho $@ > {tmp_path}/asked\n")
    scontrol.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    with monkeypatch.context() as patch:
        signal_in(1, number, patch)
        with pytest.raises(Stopped, match="stopped at step 2 of 3; go on with") as stopped:
            run.train(settings(*overrides))
    assert stopped.value.exit_code == 128 + number
    assert signal.getsignal(number) == handler
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / LAST)[0] == 2
    asked = tmp_path / "asked"  # Slurm itself puts preempted jobs back
    assert asked.exists() == (number == signal.SIGUSR1)
    if asked.exists():
        assert asked.read_text() == "requeue 77\n"

    run.train(settings(*overrides, "ckpt_path=last"))
    run.train(settings(*overrides, f"run_dir={tmp_path / 'whole'}"))
    expected, got = (load_file(tmp_path / n / "network.safetensors") for n in ("whole", "run"))
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_a_second_interrupt_ends_at_once(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(self, batch, batch_index):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second one is not heard")

    monkeypatch.setattr(StyleTransferModule, "training_step", twice)
    with pytest.raises(Stopped, match="interrupted"):
        run.train(settings("model=adain", "trainer.max_steps=3"))
    assert not (tmp_path / "run" / "checkpoints" / LAST).exists()


@pytest.mark.slow
def test_all_processes_stop_after_the_same_step(small_overrides: list[str], tmp_path: Path) -> None:
    """A signal to the first of two processes; the other would wait for it forever."""
    command = [sys.executable, "-m", "datnet.training", *small_overrides, "model=adain"]
    command += ["trainer.devices=2", "trainer.strategy=ddp", "trainer.max_steps=100000"]
    command += ["checkpoint_every=1", "run_dir=run"]
    checkpoint = tmp_path / "run" / "checkpoints" / LAST
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not checkpoint.exists() and process.poll() is None:
            time.sleep(0.1)
        process.terminate()
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, errors
    step = read_checkpoint(checkpoint)[0]
    assert errors.splitlines()[-1].startswith(f"stopped at step {step}")
