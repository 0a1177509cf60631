from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from datnet.commands.main import main
from datnet.training import run
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
    assert "equal to the bit" in capsys.readouterr().out

    workers = tmp_path / "workers"
    assert call(monkeypatch, folder, "data.num_workers=2", "--run-dir", workers) == 0
    first, second = (each / "network.safetensors" for each in (folder, workers))
    assert differences(first, second) == "the weights are equal to the bit"

    assert call(monkeypatch, folder, "seed=2") == 0
    other = tmp_path / "run_rerun" / "network.safetensors"
    assert differences(first, other).startswith("the weights differ by up to")


def test_what_is_taken_from_a_setting_follows_its_change(settings, tmp_path: Path) -> None:
    config = settings("model=adain", "trainer.max_steps=2")
    OmegaConf.save(config, tmp_path / "config.yaml", resolve=True)
    changed = settings_of(tmp_path, ["seed=7", "model.recipe.steps=9"])
    assert (changed.seed, changed.data["seed"]) == (7, 7)
    assert changed.trainer.max_steps == 2  # which was not the recipe's number
    assert settings_of(tmp_path, ["seed=7", "data.seed=1"]).data["seed"] == 1


def test_changes_may_stand_behind_an_option(
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
