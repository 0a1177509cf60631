from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file

from datnet.commands.main import main
from datnet.training import rerun, run
from datnet.training.rerun import differences, settings_of


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> object:
    monkeypatch.setattr("sys.argv", ["datnet", "rerun", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.slow
def test_a_run_comes_out_the_same_again(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With other workers and an interruption it does, with another seed it does not."""
    folder = tmp_path / "run"
    run.train(settings("model=adain", "trainer.max_steps=2", "checkpoint_every=1"))
    again = f"run_dir={tmp_path / 'again'}"
    run.train(settings("model=adain", "trainer.max_steps=1", "checkpoint_every=1", again))
    assert call(monkeypatch, folder, "--run-dir", tmp_path / "again") == 0
    assert "bitwise equal" in capsys.readouterr().out

    workers = tmp_path / "workers"
    assert call(monkeypatch, folder, "data.num_workers=2", "--run-dir", workers) == 0
    first, second = (each / "network.safetensors" for each in (folder, workers))
    assert differences(first, second) is None
    assert "are not compared" in capsys.readouterr().out

    assert call(monkeypatch, folder, "seed=2") == 0
    other = tmp_path / "run_rerun" / "network.safetensors"
    assert str(differences(first, other)).startswith("the weights differ by up to")


def pretend_to_train(monkeypatch: pytest.MonkeyPatch, weight: float) -> list[str]:
    """Let a training write a weight; returns the folders of trainings."""
    folders: list[str] = []

    def train(config) -> None:
        folders.append(Path(config.run_dir).name)
        pretend_run(Path(config.run_dir), config, weight)

    monkeypatch.setattr(run, "train", train)
    return folders


def pretend_run(folder: Path, config, weight: float) -> None:
    folder.mkdir(exist_ok=True)
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    save_file({"w": torch.tensor([weight])}, folder / "network.safetensors")
    (folder / "finished.json").write_text('{"steps": 2}')


def test_every_call_trains_again(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before, the second one trained nothing and said that the weights are bitwise equal."""
    folder = tmp_path / "run"
    pretend_run(folder, settings("model=adain", "trainer.max_steps=2"), 1.0)
    trained = pretend_to_train(monkeypatch, 1.0)
    assert [call(monkeypatch, folder) for _ in range(2)] == [0, 0]
    assert trained == ["run_rerun", "run_rerun_2"]

    (tmp_path / "run_rerun_2" / "finished.json").unlink()  # interrupted
    assert call(monkeypatch, folder) == 0
    assert trained[2:] == ["run_rerun_2"]

    capsys.readouterr()
    assert call(monkeypatch, folder, "--run-dir", tmp_path / "run_rerun") == 1
    assert "it is finished: nothing was run" in capsys.readouterr().err
    assert len(trained) == 3


def test_the_status_tells_whether_weights_differ(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    pretend_run(folder, settings("model=adain", "trainer.max_steps=2"), 1.0)
    pretend_to_train(monkeypatch, 2.0)
    monkeypatch.setattr(rerun, "read_description", lambda path: SimpleNamespace(training={}))
    assert call(monkeypatch, folder) == 1
    assert "the weights differ by up to 1.0e+00" in capsys.readouterr().out
    (folder / "network.safetensors").unlink()
    assert call(monkeypatch, folder) == 1
    assert "nothing to compare with" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ({"a": [float("nan"), 1.0]}, {"a": [float("nan"), 1.0]}, True),
        ({"a": [float("nan"), 1.0]}, {"a": [0.0, 1.0]}, False),
        ({"a": [0.0]}, {"a": [-0.0]}, False),
        ({"a": [0.0]}, {"b": [0.0]}, False),
        ({"a": [0.0]}, {"a": [0.0], "b": [0.0]}, False),
        ({"a": [0.0]}, {"a": [0.0, 0.0]}, False),
    ],
)
def test_equal_to_the_bit(
    first: dict[str, list[float]], second: dict[str, list[float]], equal: bool
) -> None:
    tensors = [
        {name: torch.tensor(values) for name, values in each.items()} for each in (first, second)
    ]
    assert rerun.equal_to_the_bit(*tensors) == equal


def test_what_is_taken_from_a_setting_follows_its_change(settings, tmp_path: Path) -> None:
    config = settings("model=adain", "trainer.max_steps=2")
    OmegaConf.save(config, tmp_path / "config.yaml", resolve=True)
    changed = settings_of(tmp_path, ["seed=7", "model.recipe.steps=9"])
    assert (changed.seed, changed.data["seed"]) == (7, 7)
    assert changed.trainer.max_steps == 2  # which was not the recipe's number
    assert settings_of(tmp_path, ["seed=7", "data.seed=1"]).data["seed"] == 1


def test_changes_may_follow_an_option(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    monkeypatch.setattr(run, "train", trained.append)
    OmegaConf.save(settings("model=adain"), tmp_path / "config.yaml", resolve=True)
    again = tmp_path / "again"
    call(monkeypatch, tmp_path, "seed=7", "--run-dir", again, "logger.wandb=null", "seed=8")
    (config,) = trained
    assert (config.seed, config.logger.wandb, config.run_dir) == (8, None, str(again))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is no run's folder: it has no config.yaml"),
        (["{run}", "sead=1"], "sead"),
        (["{run}", "seed"], "write KEY=VALUE"),
        (["{run}", "--run-dir", "{run}"], "must be another folder"),
        (["{run}", "model.objective.content=-1"], "content is -1"),
    ],
)
def test_bad_input(
    arguments: list[str],
    message: str,
    settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    OmegaConf.save(settings("model=adain"), folder / "config.yaml", resolve=True)
    assert call(monkeypatch, *(each.format(run=folder) for each in arguments)) == 1
    assert message in capsys.readouterr().err
