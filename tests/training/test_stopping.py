"""Signals, time limits and other ends before the last step."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from omegaconf import OmegaConf, open_dict
from safetensors.torch import load_file

from datnet.errors import DatNetError
from datnet.training import run
from datnet.training.exits import exits_of_training
from datnet.training.module import StyleTransferModule
from datnet.training.processes import (
    STOP_SIGNALS,
    TIME_IS_UP,
    handle_stop_signals,
    restore_handlers,
    was_asked_to_stop,
)
from datnet.training.stopping import Stopped, TimeLimit
from datnet.zoo.network_file import read_checkpoint
from datnet.zoo.run_files import LAST


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[None]:
    """Signal handlers of a fresh process, whatever runs these tests."""
    numbers = (signal.SIGHUP, signal.SIGXCPU, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    restore_handlers(before)


def with_trainer(config, **options):
    """What `+trainer.KEY=VALUE` adds."""
    with open_dict(config.trainer):
        OmegaConf.update(config, "trainer", options)
    return config


def interrupt(self, batch, batch_index):
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    raise AssertionError("the second one is not heard")


def test_a_time_limit_saves_says_so_and_goes_on(
    settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After complete steps only; every start has the whole time, and may have another one or none.

    Before, Lightning ended in the middle of a step with status 0, and a resumed run ended at once.
    """
    overrides = ["model=adain", "trainer.max_steps=3", "trainer.accumulate_grad_batches=2"]
    limit = {"max_time": "00:00:00:00"}
    with pytest.raises(SystemExit) as ended, exits_of_training("run"):
        run.train(with_trainer(settings(*overrides), **limit))
    assert ended.value.code == TIME_IS_UP
    words = capsys.readouterr().err
    assert "stopped at step 1 of 3; go on with the same command and ckpt_path=last" in words
    folder = tmp_path / "run"
    assert read_checkpoint(folder / "checkpoints" / LAST)[0] == 1
    assert not (folder / "network.safetensors").exists()

    again = settings(*overrides, "ckpt_path=last", "trainer.log_every_n_steps=7")
    with pytest.raises(Stopped, match="step 2 of 3"):
        run.train(with_trainer(again, **limit))
    run.train(settings(*overrides, "ckpt_path=last"))
    run.train(settings(*overrides, f"run_dir={tmp_path / 'whole'}"))
    expected, got = (load_file(tmp_path / n / "network.safetensors") for n in ("whole", "run"))
    assert all(torch.equal(expected[name], got[name]) for name in expected)


def test_a_time_limit_at_the_last_step_lets_the_run_finish(settings, tmp_path: Path) -> None:
    config = with_trainer(settings("model=adain", "trainer.max_steps=1"), max_time="00:00:00:00")
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    run.train(config)
    assert (tmp_path / "run" / "network.safetensors").exists()
    assert {number: signal.getsignal(number) for number in STOP_SIGNALS} == before


@pytest.mark.parametrize("duration", ["an hour", 3600, {"hour": 1}, "1:00"])
def test_a_time_limit_that_is_none(duration: object) -> None:
    with pytest.raises(DatNetError, match=r"trainer\.max_time is .*; write DD:HH:MM:SS"):
        TimeLimit(duration)


def test_a_second_interrupt_has_its_status(
    settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lightning's is 1, by which a sweep would go on with its next job."""
    monkeypatch.setattr(StyleTransferModule, "training_step", interrupt)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, exits_of_training("run"):
        run.train(settings("model=adain", "trainer.max_steps=3"))
    assert ended.value.code == 128 + signal.SIGINT
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_interrupt_before_the_first_step(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, exits_of_training("run"):
        raise KeyboardInterrupt
    assert ended.value.code == 128 + signal.SIGINT
    assert "interrupted" in capsys.readouterr().err


def test_words_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a closed terminal does to standard error: the status stays."""
    master, terminal = pty.openpty()
    stream = os.fdopen(terminal, "w")
    os.close(master)
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(SystemExit) as ended, exits_of_training("run"):
        raise Stopped("stopped", 128 + signal.SIGHUP)
    assert ended.value.code == 128 + signal.SIGHUP
    with suppress(OSError):
        stream.close()
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as ended, exits_of_training("run"):
        raise Stopped("stopped", TIME_IS_UP)
    assert ended.value.code == TIME_IS_UP


def test_nohup_is_respected() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = handle_stop_signals(lambda *_: None)
    restore_handlers(before)
    assert signal.SIGHUP not in before
    assert {signal.SIGTERM, signal.SIGINT, signal.SIGXCPU} < before.keys()


@pytest.mark.parametrize(
    ("exit_code", "asked"),
    [
        (0, False),
        (1, False),
        (TIME_IS_UP, False),
        (-signal.SIGKILL, False),
        (128 + signal.SIGTERM, True),
        (128 + signal.SIGHUP, True),
        (-signal.SIGINT, True),  # before the process handled signals itself
        (-signal.SIGTERM, True),
    ],
)
def test_whether_a_job_was_asked_to_stop(exit_code: int, asked: bool) -> None:
    assert was_asked_to_stop(exit_code) == asked


def test_a_training_that_ends_early_by_itself(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, it wrote the network of the step that it had reached, with status 0."""
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: None)
    with pytest.raises(DatNetError, match="ended at step 0 of 3"):
        run.train(settings("model=adain", "trainer.max_steps=3"))
    assert not (tmp_path / "run" / "network.safetensors").exists()


@pytest.mark.slow
def test_a_closed_terminal_saves(small_overrides: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "datnet.training", *small_overrides, "model=adain"]
    command += ["trainer.max_steps=100000", "checkpoint_every=1", "run_dir=run"]
    checkpoint = tmp_path / "run" / "checkpoints" / LAST
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, *command],
        cwd=tmp_path,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    try:
        os.close(terminal)
        while not checkpoint.exists() and process.poll() is None:
            time.sleep(0.1)
        os.close(master)
        assert process.wait(120) == 128 + signal.SIGHUP
    finally:
        process.kill()
    assert read_checkpoint(checkpoint)[0] >= 1


IN_TERMINAL = """\
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""A program for a session of its own: it takes its standard input as the session's terminal."""
