from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.training.command_line import check_classes_of_jobs, read_command
from datnet.training.overrides import readable

OWN = ["data=coco_wikiart", "data.style_dir=styles"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        # misspelled
        (["trainer.max_step=3"], r"max_step is no setting; did you mean trainer\.max_steps\?"),
        (["max_steps=3"], r"did you mean trainer\.max_steps"),
        (["mode=adain"], "did you mean model"),
        (["model=adain", "model.network.channel_attention=no"], "no setting; other models have it"),
        (
            ["model.objective.local_feature_levels=[2,3]"],
            r"did you mean model\.objective\.local_feature\? \(\+model\.objective\.local_feat",
        ),
        (["-m", "model=adain,sanet", "sead=1,2"], r"sead is no setting; did you mean seed\?"),
        (["nothing.like.it=1"], "--cfg job"),
        (["model=datnet_ful"], r"model=datnet_ful does not exist; did you mean datnet_full\? It"),
        (["trainer=3"], "trainer=3 does not exist; it can be auto, cpu, ddp, gpu"),
        (["data=null"], "data=null does not exist; it can be coco_wikiart, sample"),
        (["experiment="], "experiment= does not exist; it can be ablation"),
        (["hydra/launcher=nope"], "hydra/launcher=nope does not exist; it can be basic"),
        # no setting at all
        (["seed"], "seed is no setting; write KEY=VALUE"),
        (["a b=1"], "'a b' cannot be the name of one"),
        (["=3"], "=3 is no setting"),
        # types and ranges
        (["seed=abc"], "seed is abc; it must be a whole number"),
        (["seed=1.5"], "seed is 1.5; it must be a whole number"),
        (["seed=-1"], "seed is -1; it must be at least 0"),
        (["seed=null"], "seed cannot be null"),
        (["seed=1,2"], "seed has several values: add -m"),
        (["trainer.max_steps=1e5"], "trainer.max_steps is 100000.0; write it as 100000"),
        (["trainer.deterministic=warn"], "it must be true or false"),
        (["trainer.devices=0"], "trainer.devices is 0; it must be a number of devices, -1"),
        (["trainer.devices=[0,0]"], "trainer.devices is"),
        (["trainer.devices=abc"], "trainer.devices is abc"),
        (["model.recipe.learning_rate=nan"], "learning_rate is nan; it must be finite"),
        (["model.recipe.learning_rate=abc"], "learning_rate is abc; it must be a number"),
        (["weight_average=1"], "weight_average is 1.0; it must be less than 1"),
        (["tags=a"], "tags must be a list"),
        (["tags=['']"], "tags is .*; it must be text that is not empty, in place 0"),
        (["model.network=3"], "model.network is a group of settings"),
        (["logger=wandb", "logger.wandb.mode=on"], "online, offline, disabled"),
        (["logger.wandb.project=x"], "without logger=wandb"),
        # empty
        (["data.content_dir="], "data.content_dir is empty"),
        (["run_dir=''"], "run_dir is empty"),
        (["ckpt_path="], "ckpt_path is empty"),
        (["encoder.weights="], "encoder.weights is empty"),
        (["name="], "name is empty"),
        (["sweep="], "sweep is empty"),
        # interpolations
        (["name=${oc.env:NOT_SET_ANYWHERE}"], "name: Environment variable 'NOT_SET_ANYWHERE' not"),
        (["data.content_dir=${nothing}/ü"], "data.content_dir: Interpolation key 'nothing' not"),
        # what a training tells the Trainer itself
        (["+trainer.max_epochs=3"], "max_epochs=3 cannot be set here: .* use trainer.max_steps"),
        (["+trainer.limit_val_batches=0"], "use data.validation_pairs"),
        (["+trainer.callbacks=null"], "trainer.callbacks=null cannot be set"),
        (["-m", "seed=1,2", "+trainer.fast_dev_run=true"], "use experiment=miniature"),
        # the last job of a sweep
        (["-m", "seed=1,x"], "seed is x; it must be a whole number"),
        (["-m", "model=adain,nope"], "model=nope does not exist"),
        (["-m", "seed=1", "trainer.max_steps=range(0,2)"], "max_steps is 0; it must be positive"),
        # several choices of one group
        (["model=[adain,sanet]"], "adain and sanet contradict each other in name"),
        (["trainer=[cpu,gpu]"], "contradict each other in accelerator .* trainer=cpu,gpu to train"),
        (["data=[sample,coco_wikiart]"], "contradict each other in content_dir"),
        (["encoder=[vgg16,vgg19]"], "contradict each other in arch"),
        (["experiment=[paper,miniature]"], "contradict each other in /encoder"),
        (["logger=wandb,tensorboard"], r"type 'logger=\[wandb,tensorboard\]' for a list"),
        # a comma is a sweep's or a path's
        (
            ["-m", *OWN, "data.content_dir=/ü/a,/ü/b"],
            r"""type "data.content_dir='/ü/a,/ü/b'" for one value, or "data.content_dir='/ü/a',""",
        ),
        (["-m", "name=choice(ü,b)"], r"""or "name=choice\('ü',b\)" for a sweep"""),
    ],
)
def test_what_is_wrong_is_told_in_one_line(arguments: list[str], message: str) -> None:
    with pytest.raises(DatNetError, match=message) as error:
        read_command(arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "path",
    [
        *("/home/müller/photos", "photos (1)", "照片/夏", "a,b", "a=b", "a:b", "O'Brien", "[old]"),
        *('say "x"', "2023", "1e3", "null pictures", "true", "{x}", "a\\b", "trailing ", "#1 & 2!"),
        *("https://host/x?a=b&c=d,e", "s3://bucket/key", "back\\", "it\\'s", "50 % off; new"),
    ],
)
def test_paths_are_taken_as_they_are(path: str) -> None:
    command = read_command([*OWN, f"data.content_dir={path}"])
    assert command.configs[0].data["content_dir"] == path
    given = command.arguments[-1]
    assert readable(given, sweeps=False) == given  # as processes for further devices read it
    if "," not in path:
        assert readable(f"data.content_dir={path}", sweeps=True) == given


def test_text_with_odd_characters() -> None:
    command = read_command(["description=Versuch (1): müde", "tags=[müde,a]", "name=${model.name}"])
    config = command.configs[0]
    assert config.description == "Versuch (1): müde"
    assert list(config.tags) == ["müde", "a"]
    assert config.name == "datnet_full"


def test_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = ["data.content_dir", "data.validation_style_dir", "ckpt_path", "encoder.weights"]
    command = read_command([*OWN, "run_dir=~/runs", *(f"{key}=~/x" for key in paths)])
    config = command.configs[0]
    assert config.data["content_dir"] == config.data["validation_style_dir"] == f"{tmp_path}/x"
    assert config.ckpt_path == config.encoder.weights == f"{tmp_path}/x"
    assert command.arguments[-1] == f"run_dir='{tmp_path}/runs'"  # Hydra makes it itself
    remote = read_command([*OWN, "data.content_dir=https://host/~me"]).configs[0]
    assert remote.data["content_dir"] == "https://host/~me"
    assert read_command(["ckpt_path=last"]).configs[0].ckpt_path == "last"


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        (["-m", "model=adain,sanet", "seed=1,2"], 4),
        (["-m", "experiment=ablation"], 9),
        (["-m", "experiment=ablation", "seed=4"], 3),
        (["-m", "model=glob(datnet_*)"], 3),
        (["-m", "seed=1,2", "seed=3"], 1),
        (["-m", *OWN, "data.content_dir=/a,/b"], 2),
        (["-m", "logger=[wandb,tensorboard]", "seed=1,2"], 2),
    ],
)
def test_jobs_of_a_sweep(arguments: list[str], jobs: int) -> None:
    command = read_command(arguments)
    assert command.sweeps
    assert len(command.configs) == jobs


def test_both_ends_of_what_is_searched() -> None:
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    configs = read_command(["-m", "experiment=search", "hydra.sweeper.n_trials=3"]).configs
    assert {config.model.recipe.learning_rate for config in configs} == {1e-5, 1e-3}


def test_a_plugin_that_is_missing_is_named(tmp_path: Path) -> None:
    choice = tmp_path / "hydra" / "launcher" / "mine.yaml"
    choice.parent.mkdir(parents=True)
    choice.write_text("defaults: [submitit_nowhere]\n")
    with pytest.raises(DatNetError, match=r"pip install 'datnet\[slurm\]'|does not exist"):
        read_command(["--config-dir", str(tmp_path), "hydra/launcher=mine"])


def test_choices_that_agree_are_composed() -> None:
    config = read_command(["logger=[wandb,tensorboard]", "trainer=[cpu]"]).configs[0]
    assert config.logger.wandb is not None
    assert config.logger.tensorboard
    assert config.trainer.accelerator == "cpu"


def test_a_folder_of_choices_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 7\n")
    folder = ["--config-dir", str(tmp_path)]
    assert read_command([*folder, "experiment=mine"]).configs[0].seed == 7
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nsead: 7\n")
    with pytest.raises(DatNetError, match=r"sead is no setting; did you mean seed\?"):
        read_command([*folder, "experiment=mine"])
    (tmp_path / "experiment" / "mine.yaml").write_text("seed: [7\n")
    with pytest.raises(DatNetError, match=r"mine\.yaml"):
        read_command([*folder, "experiment=mine"])


@pytest.mark.parametrize("arguments", [["--help"], ["--hydra-help"], ["--cfg", "job"]])
def test_what_only_shows_something_checks_no_values(arguments: list[str]) -> None:
    command = read_command([*arguments, "data=coco_wikiart"])
    assert command.arguments == [*arguments, "data=coco_wikiart"]
    assert not command.configs


def test_what_hydra_knows_at_a_jobs_start_alone_is_left_to_it() -> None:
    assert not read_command(["-m", "seed=1,2", "name=n${hydra:job.num}"]).configs


def test_a_logger_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datnet.errors.find_spec", lambda name: None)
    with pytest.raises(DatNetError, match=r"logger=tensorboard needs .*datnet\[tensorboard\]"):
        read_command(["logger=tensorboard"])
    read_command(["logger=csv"])


@pytest.mark.slow
def test_classes_of_all_jobs_are_asked_before_the_first() -> None:
    configs = read_command(["-m", "data.batch_size=2,abc"]).configs
    with pytest.raises(DatNetError, match="batch_size is abc; it must"):
        check_classes_of_jobs(configs)


@pytest.mark.parametrize(
    "arguments",
    [["model=nope"], ["-m", "data.batch_size=1,abc"]],
)
def test_the_command_ends_in_one_line(arguments: list[str], tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "datnet.training", *arguments],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
