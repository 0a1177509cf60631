"""Whether a folder can be written to, and whether a run in it may go on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from omegaconf import OmegaConf, open_dict

from datnet.errors import DatNetError
from datnet.training import building, run
from datnet.training.exits import exits_of_training
from datnet.training.run_folder import RunFolder, make_writable


def test_a_folder_that_cannot_be_written_to(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is loaded."""
    monkeypatch.setattr(building, "vgg_encoder", None)
    monkeypatch.setattr(run, "build", None)
    (tmp_path / "file").touch()
    for folder, reason in (("file", "a file has this name"), ("file/run", "Not a directory")):
        with pytest.raises(DatNetError, match=f"{folder} cannot be written to: {reason}.*run_dir="):
            run.train(settings(f"run_dir={tmp_path / folder}"))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_disk_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(DatNetError, match=os.strerror(number)):
        make_writable(tmp_path / "run", "run_dir")


def test_a_lock_that_cannot_be_opened(settings, tmp_path: Path) -> None:
    (tmp_path / "run" / ".lock").mkdir(parents=True)
    with pytest.raises(DatNetError, match=r"run/\.lock cannot be written to"):
        run.train(settings("model=adain"))


@pytest.mark.parametrize(
    ("arguments", "place"),
    [(["run_dir=file/run"], "file/run"), (["-m", "seed=1,2", "sweep=a"], "sweeps/a")],
)
def test_the_command_says_so_before_hydra_fails(
    tmp_path: Path, arguments: list[str], place: str
) -> None:
    for name in ("file", "sweeps"):
        (tmp_path / name).touch()
    result = subprocess.run(
        [sys.executable, "-m", "datnet.training", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {place} cannot be written to: ")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_during_the_training(
    capsys: pytest.CaptureFixture[str], number: int
) -> None:
    with pytest.raises(SystemExit) as ended, exits_of_training("here"):
        raise OSError(number, os.strerror(number), "here/metrics.csv")
    assert ended.value.code == 1
    words = capsys.readouterr().err
    assert words.startswith(f"error: here cannot be written to: {os.strerror(number)}")


def test_a_file_that_is_gone_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, exits_of_training("here"):
        Path("/nowhere/at/all").read_text()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: /nowhere/at/all: No such file or directory\n"


@pytest.fixture
def begun(settings, tmp_path: Path) -> RunFolder:
    """A run that a time limit cut."""
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / "last.ckpt").touch()
    config = settings("model=adain")
    with open_dict(config.trainer):
        OmegaConf.update(config, "trainer.max_time", {"minutes": 1})
    OmegaConf.save(config, folder.config)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        "trainer.max_steps=7",
        "trainer.log_every_n_steps=7",
        "trainer.enable_progress_bar=true",
        "trainer.val_check_interval=7",
        "checkpoint_every=7",
        "logger=tensorboard",
        "+trainer.profiler=simple",
    ],
)
def test_when_to_stop_and_what_to_show_may_change(settings, begun: RunFolder, change: str) -> None:
    begun.check_same_settings(settings("model=adain", change))


@pytest.mark.parametrize(
    "change",
    ["trainer.precision=bf16-mixed", "trainer.gradient_clip_val=1", "+trainer.sync_batchnorm=true"],
)
def test_what_weights_depend_on_may_not(settings, begun: RunFolder, change: str) -> None:
    with pytest.raises(DatNetError, match="holds a run with other settings"):
        begun.check_same_settings(settings("model=adain", change))


def test_a_run_of_an_earlier_version_lacks_settings_and_goes_on(settings, begun: RunFolder) -> None:
    """What it lacks had its default then: in the schema, or in the class that takes it."""
    config = settings("model=adain")
    there = OmegaConf.load(begun.config)
    del there.model.recipe["schedule"], there.data["horizontal_flip"], there["channels_last"]
    begun.config.write_text(OmegaConf.to_yaml(there))
    begun.check_same_settings(config)
    config.data.horizontal_flip = True
    with pytest.raises(DatNetError, match=r"data\.horizontal_flip was False and is True"):
        begun.check_same_settings(config)
