from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import Checkpoint
from PIL import Image
from safetensors.torch import load_file

from datnet.errors import DatNetError
from datnet.objectives.adain import AdaINObjective
from datnet.training import run
from datnet.training.csv_logger import CsvLogger
from datnet.training.module import StyleTransferModule
from datnet.zoo.network_file import load_network, read_description
from datnet.zoo.published import network_file


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


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
    """Bit for bit: weights, optimiser state and logged losses. The bar counts to the last batch."""
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
def test_finished_run(settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run leaves behind, and what a second start in its folder does."""
    overrides = ["model=adain", "trainer.max_steps=2", "checkpoint_every=1", "keep_every=2"]
    loss = run.train(
        settings(*overrides, "trainer.val_check_interval=2", "logger=tensorboard", "seed=3")
    )
    folder = tmp_path / "run"

    # metrics.csv: every step, terms raw and weighted, the learning rate's decay
    logged = rows(folder)
    assert [row["step"] for row in logged] == ["1", "2"]
    for row in logged:
        weighted = sum(float(row[f"train/{n}_weighted"]) for n in ("content", "global_style"))
        assert float(row["train/loss"]) == pytest.approx(weighted, rel=1e-4)
        raw = float(row["train/global_style"])
        assert float(row["train/global_style_weighted"]) == pytest.approx(10 * raw, rel=1e-4)
        assert float(row["train/images_per_second"]) > 0
    rates = [float(row["train/learning_rate"]) for row in logged]
    assert rates == pytest.approx([1e-4, 1e-4 / (1 + 5e-5)], rel=1e-6)
    assert float(logged[1]["validation/loss"]) == pytest.approx(loss)

    # checkpoints: without the encoder, loadable without executing code
    names = {path.name for path in (folder / "checkpoints").iterdir()}
    assert names == {"last.ckpt", "previous.ckpt", "step_000002.ckpt"}
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert state
    assert not any("encoder" in name for name in state)

    # pictures: one row, three columns
    panel = Image.open(folder / "images" / "step_000002.png")
    assert panel.size == (3 * 32 + 4 * 4, 32 + 2 * 4)
    assert list((folder / "tensorboard").glob("events.*"))

    # the network's file says how it came about
    description = read_description(folder / "network.safetensors")
    modes = {(folder / name).stat().st_mode for name in ("network.safetensors", "config.yaml")}
    assert len(modes) == 1  # whoever may read the one may read the other
    assert description.name == "adain"
    assert description.training["steps"] == 2
    assert description.training["images_per_step"] == 2
    assert description.training["seed"] == 3
    assert description.training["data"]["content_dir"] == "content"
    assert json.loads((folder / "finished.json").read_text())["steps"] == 2
    network = load_network(folder / "network.safetensors")
    assert network(torch.rand(1, 3, 40, 33), torch.rand(1, 3, 32, 32)).shape == (1, 3, 40, 33)

    # a checkpoint is as good as the network of that step
    early = network_file(folder / "checkpoints" / "previous.ckpt")
    late = network_file(folder / "checkpoints" / "last.ckpt")
    assert network_file(folder) == folder / "network.safetensors"
    facts = dict(description.training)
    del facts["validation_loss"]
    assert read_description(early).training == {**facts, "steps": 1}
    assert read_description(late).training == {**facts, "steps": 2}
    expected, got = load_file(folder / "network.safetensors"), load_file(late)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    assert any(not torch.equal(expected[name], tensor) for name, tensor in load_file(early).items())
    load_network(early)

    # killed between the last checkpoint and the end
    finished = json.loads((folder / "finished.json").read_text())["metrics"]
    weights = (folder / "network.safetensors").read_bytes()
    for name in ("finished.json", "network.safetensors"):
        (folder / name).unlink()
    assert network_file(folder) == late  # of a run that goes on, what it saved last
    run.train(settings(*overrides, "trainer.val_check_interval=2", "seed=3", "ckpt_path=last"))
    assert (folder / "network.safetensors").read_bytes() == weights
    assert json.loads((folder / "finished.json").read_text())["metrics"] == finished
    assert [row["step"] for row in rows(folder)] == ["1", "2"]

    # a second start
    with monkeypatch.context() as patch:
        patch.setattr(run, "vgg_encoder", None)  # nothing is built
        again = settings(*overrides, "seed=3", "ckpt_path=last")
        assert run.train(again) == pytest.approx(loss)
    with pytest.raises(DatNetError, match=r"other settings \(.*seed was 3 and is 4"):
        run.train(settings(*overrides, "seed=4", "ckpt_path=last"))
    with pytest.raises(DatNetError, match="ckpt_path=last"):
        run.train(settings(*overrides, "seed=3", "trainer.max_steps=3"))
    run.train(settings(*overrides, "seed=3", "trainer.max_steps=3", "ckpt_path=last"))
    assert [row["step"] for row in rows(folder)] == ["1", "2", "3"]


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
    run.check_search_metric(settings(final, "final_metrics=true"), objective)
    with pytest.raises(DatNetError, match=r"final/… with final_metrics=true"):
        run.check_search_metric(settings(final, "final_metrics=false"), objective)


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
        (["data.crop_size=0"], "crop_size must be at least 32, not 0"),
        (["data.batch_size=0"], "batch_size must be at least 1, not 0"),
        (["encoder.arch=resnet"], "vgg19 or vgg16"),
        (["trainer.precision=17"], "trainer settings cannot work here"),
        (["logger=wandb", "logger.wandb.mode=on"], "online, offline, disabled"),
        (["model.network._target_=datnet.networks.nothing.Net"], "cannot be imported"),
        (["ckpt_path=nowhere.ckpt"], "nowhere.ckpt does not exist"),
    ],
)
def test_wrong_settings_are_refused_before_anything_slow(
    settings, monkeypatch: pytest.MonkeyPatch, overrides: list[str], message: str
) -> None:
    monkeypatch.setattr(run, "vgg_encoder", None)
    with pytest.raises(DatNetError, match=message):
        run.train(settings(*overrides))


def test_network_of_a_damaged_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"PK half")
    with pytest.raises(DatNetError, match=r"description\.json"):
        network_file(checkpoint)
    (tmp_path / "description.json").write_text('{"name": "a", "network": {}, "encoder": {}}')
    with pytest.raises(DatNetError, match=r"last\.ckpt is damaged"):
        network_file(checkpoint)
    assert not checkpoint.with_suffix(".safetensors").exists()


def test_damaged_checkpoint_is_named(settings, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"not a checkpoint")
    with pytest.raises(DatNetError, match=r"last\.ckpt is damaged"):
        run.train(settings("model=adain", "ckpt_path=last"))
