"""A run that starts from another run's checkpoint: the record matches what happens."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from datnet.errors import DatNetError
from datnet.training import run
from datnet.training.building import beginning
from datnet.training.module import StyleTransferModule
from datnet.training.run_folder import RunFolder
from tests.helpers.small_run import composed, rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoint(small_overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """After one step of AdaIN with a learning rate of 1e-4."""
    folder = tmp_path_factory.mktemp("other") / "run"
    run.train(
        composed([*small_overrides, "model=adain", "trainer.max_steps=1", f"run_dir={folder}"])
    )
    return folder / "checkpoints" / "last.ckpt"


def test_the_first_step_has_the_new_learning_rate(
    settings, tmp_path: Path, checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Before, the checkpoint's went on, and a new decay began with the second step."""
    caplog.set_level(logging.INFO)
    new = ["model.recipe.learning_rate=1e-6", "model.recipe.learning_rate_decay=0.5"]
    overrides = ["model=adain", "trainer.max_steps=3", *new, f"ckpt_path={checkpoint}"]
    run.train(settings(*overrides))
    logged = rows(tmp_path / "run")
    assert [row["step"] for row in logged] == ["2", "3"]
    rates = [float(row["train/learning_rate"]) for row in logged]
    assert rates == pytest.approx([1e-6 / 1.5, 1e-6 / 2])
    assert "learning rate 6.66667e-07 from here on; the checkpoint had 9.9995e-05" in caplog.text

    training = json.loads((tmp_path / "run" / "description.json").read_text())["training"]
    assert training["begun_with"] == {"checkpoint": "run/checkpoints/last.ckpt", "steps": 1}
    folder = RunFolder(tmp_path / "run")
    for own in folder.checkpoints.glob("*.ckpt"):  # a resumed run still says so
        assert beginning(folder, own, 3) == training["begun_with"]
    assert beginning(folder, None, 0) is None


def test_steps_have_all_of_their_micro_batches(
    settings, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, the batches that the other run had counted made the first step a short one."""
    batches = []
    original = StyleTransferModule.training_step

    def counted(self, batch, batch_index):
        batches.append((self.global_step, batch_index % 2))
        return original(self, batch, batch_index)

    monkeypatch.setattr(StyleTransferModule, "training_step", counted)
    overrides = ["model=adain", "trainer.max_steps=2", "trainer.accumulate_grad_batches=2"]
    run.train(settings(*overrides, f"ckpt_path={checkpoint}"))
    assert batches == [(1, 0), (1, 1)]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=adain", "trainer.max_steps=1"], "there would be no step to train"),
        (["model=sanet", "trainer.max_steps=2"], "the checkpoint is of another network"),
    ],
)
def test_refused(
    settings, tmp_path: Path, checkpoint: Path, overrides: list[str], message: str
) -> None:
    """Before, the first wrote the checkpoint's network as trained with the new settings."""
    with pytest.raises(DatNetError, match=message):
        run.train(settings(*overrides, f"ckpt_path={checkpoint}"))
    assert not (tmp_path / "run" / "network.safetensors").exists()
