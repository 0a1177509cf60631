from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Checkpoint
from safetensors.torch import load_file

from datnet.errors import DatNetError
from datnet.objectives.adain import AdaINObjective
from datnet.training import building, run
from datnet.training.csv_logger import CsvLogger
from datnet.training.module import StyleTransferModule
from datnet.zoo.lookup import find_network
from tests.helpers.small_run import rows


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make training fail in the step after ``step``."""
    original = StyleTransferModule.training_step

    def failing(self, batch, batch_index):
        if self.global_step == step:
            raise RuntimeError("power cut")
        return original(self, batch, batch_index)

    monkeypatch.setattr(StyleTransferModule, "training_step", failing)


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        [
            *("model=adain", "trainer.accumulate_grad_batches=2", "trainer.val_check_interval=2"),
            "weight_average=0.9",
        ],
        ["model=datnet_full", "data.batch_size=1", "data.num_workers=1"],
    ],
    ids=["adain, accumulated, averaged, validated", "datnet, with a worker"],
)
def test_resumed_run_equals_uninterrupted_run(
    settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    overrides: list[str],
) -> None:
    """Bit for bit: weights, optimizer state and logged losses. The bar counts to the last batch."""
    overrides = [*overrides, "trainer.max_steps=5", "checkpoint_every=1"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run.train(settings(*overrides, f"run_dir={whole}"))

    with monkeypatch.context() as patch:
        interrupt_at(3, patch)
        with pytest.raises(RuntimeError, match="power cut"):
            run.train(settings(*overrides, f"run_dir={parts}"))
    assert not (parts / "network.safetensors").exists()
    bar = "trainer.enable_progress_bar=true"
    run.train(settings(*overrides, f"run_dir={parts}", "ckpt_path=last", bar))
    batches = 10 if "trainer.accumulate_grad_batches=2" in overrides else 5
    assert f" {batches}/{batches} [" in capsys.readouterr().out

    expected, got = (load_file(folder / "network.safetensors") for folder in (whole, parts))
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    expected, got = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        for folder in (whole, parts)
    )
    assert expected["global_step"] == got["global_step"] == 5
    for index, state in expected["optimizer_states"][0]["state"].items():
        for name, value in state.items():
            assert torch.equal(value, got["optimizer_states"][0]["state"][index][name])
    losses = [[row["train/loss"] for row in rows(folder)] for folder in (whole, parts)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 5


@pytest.mark.slow
def test_a_finished_run_is_prolonged_from_its_last_step(
    settings, tmp_path: Path, pictures: Path
) -> None:
    """With other pictures, batches or precision it is another run, which overwrites nothing."""
    overrides = ["model=adain", "keep_every=500"]  # as often as last.ckpt is saved
    run.train(settings(*overrides, "trainer.max_steps=1"))
    run.train(settings(*overrides, "trainer.max_steps=2", f"run_dir={tmp_path / 'whole'}"))
    longer = [*overrides, "trainer.max_steps=2"]
    written = (tmp_path / "run" / "network.safetensors").read_bytes()
    swapped = [f"data.content_dir={pictures}", f"data.style_dir={pictures / 'content'}"]
    for changed, message in (
        ([], "ckpt_path=last"),
        (["ckpt_path=last", *swapped], "another training .image fingerprints"),
        (["ckpt_path=last", "trainer.accumulate_grad_batches=2"], "accumulate_grad_batches was 1"),
        (["ckpt_path=last", "trainer.precision=bf16-mixed"], "precision was 32-true"),
    ):
        with pytest.raises(DatNetError, match=message):
            run.train(settings(*longer, *changed))
    assert (tmp_path / "run" / "network.safetensors").read_bytes() == written

    run.train(settings(*longer, "ckpt_path=last"))
    expected, got = (load_file(tmp_path / n / "network.safetensors") for n in ("whole", "run"))
    assert all(torch.equal(expected[name], got[name]) for name in expected)

    for checkpoint in (tmp_path / "run" / "checkpoints").iterdir():
        checkpoint.unlink()
    with pytest.raises(DatNetError, match="whose checkpoints are gone"):
        run.train(settings(*overrides, "trainer.max_steps=3", "ckpt_path=last"))


def test_a_start_that_left_nothing_may_be_repeated_with_other_settings(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a smaller batch, when the first one did not fit into memory."""
    with monkeypatch.context() as patch:
        interrupt_at(0, patch)
        with pytest.raises(RuntimeError, match="power cut"):
            run.train(settings("model=adain", "trainer.max_steps=1"))
    run.train(settings("model=adain", "trainer.max_steps=1", "data.batch_size=1"))
    assert json.loads((tmp_path / "run" / "finished.json").read_text())["steps"] == 1


def test_a_search_is_for_what_is_measured(settings) -> None:
    objective = AdaINObjective()
    final = "search_metric=final/ssim"
    building.check_search_metric(settings(final, "final_metrics=true"), objective)
    with pytest.raises(DatNetError, match=r"final/… with final_metrics=true"):
        building.check_search_metric(settings(final, "final_metrics=false"), objective)


def test_numbers_are_written_now_and_then_and_with_every_checkpoint(tmp_path: Path) -> None:
    """Not at every row, whenever Lightning asks for it: files of long runs are large."""
    logger = CsvLogger(tmp_path / "metrics.csv")
    for step in range(3):
        logger.log_metrics({"loss": 1.0}, step)
        logger.save()
    assert [row["step"] for row in rows(tmp_path)] == ["1"]
    logger.after_save_checkpoint(Checkpoint())
    assert [row["step"] for row in rows(tmp_path)] == ["1", "2", "3"]
    logger.log_metrics({"loss": 1.0}, 3)
    logger.finalize("failed")
    assert [row["step"] for row in rows(tmp_path)] == ["1", "2", "3", "4"]


def test_loss_that_is_not_finite_stops_the_run_and_names_the_files(
    settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "datnet.objectives.adain.AdaINObjective.total",
        lambda self, terms: terms["content"] * float("nan"),
    )
    with pytest.raises(DatNetError, match="not finite at step 0") as error:
        run.train(settings("model=adain", "trainer.max_steps=2"))
    assert str(error.value).count(".png") == 4
    assert "content/" in str(error.value)
    assert not (tmp_path / "run" / "finished.json").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+model.network.chanel_attention=true"], "did you mean model.network.channel_attention"),
        (["+model.objective.global_styl=1"], "did you mean model.objective.global_style"),
        (["+data.crop=64"], "data.crop"),
        (["data.crop_size=16"], "crop_size"),
        (["data.content_dir=/nowhere"], "/nowhere"),
        (["trainer.max_steps=0"], "trainer.max_steps is 0"),
        (["model.recipe.learning_rate=-1"], "learning_rate is -1"),
        (["seed=-1"], "seed is -1"),
        (["model=adain", "model.objective.global_style=-1"], "global_style is -1"),
        (["model=adain", "model.objective.global_style=nan"], "global_style is nan"),
        (["data.crop_size=0"], "crop_size is 0; it must be at least 32"),
        (["data.batch_size=0"], "batch_size is 0; it must be at least 1"),
        (["encoder.arch=resnet"], "vgg19 or vgg16"),
        (["trainer.precision=17"], "trainer.precision is 17; it can be 64"),
        (["logger=wandb", "logger.wandb.mode=on"], "online, offline, disabled"),
        (["model.network._target_=datnet.networks.nothing.Net"], "cannot be imported"),
        (["ckpt_path=nowhere.ckpt"], "nowhere.ckpt does not exist"),
    ],
)
def test_wrong_settings_are_refused_before_anything_slow(
    settings, monkeypatch: pytest.MonkeyPatch, overrides: list[str], message: str
) -> None:
    monkeypatch.setattr(building, "vgg_encoder", None)
    with pytest.raises(DatNetError, match=message):
        run.train(settings(*overrides))


def test_network_of_a_damaged_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"PK half")
    with pytest.raises(DatNetError, match=r"description\.json"):
        find_network(checkpoint)
    (tmp_path / "description.json").write_text('{"name": "a", "network": {}, "encoder": {}}')
    with pytest.raises(DatNetError, match=r"last\.ckpt is damaged"):
        find_network(checkpoint)
    assert not checkpoint.with_suffix(".safetensors").exists()


def test_damaged_checkpoint_is_named(settings, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"not a checkpoint")
    with pytest.raises(DatNetError, match=r"last\.ckpt is damaged"):
        run.train(settings("model=adain", "ckpt_path=last"))
