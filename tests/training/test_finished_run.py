"""The files of a finished run, and a second start in its folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from datnet.errors import DatNetError
from datnet.training import building, run
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import load_network, read_description
from tests.helpers.small_run import composed, rows

pytestmark = pytest.mark.slow

OVERRIDES = (
    *("model=adain", "trainer.max_steps=2", "checkpoint_every=1", "keep_every=2", "seed=3"),
    *("trainer.val_check_interval=2", "logger=tensorboard"),
)


@pytest.fixture(scope="module")
def finished(small_overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two steps, for tests that only look at it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    loss = run.train(composed([*small_overrides, *OVERRIDES, f"run_dir={folder}"]))
    assert loss == json.loads((folder / "finished.json").read_text())["metrics"]["validation/loss"]
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """The same folder for tests that change it: `settings` trains in it."""
    return shutil.copytree(finished, tmp_path / "run")


def test_numbers_of_every_step(finished: Path) -> None:
    """Terms raw and weighted, the learning rate's decay, the speed, the validation."""
    logged = rows(finished)
    assert [row["step"] for row in logged] == ["1", "2"]
    for row in logged:
        weighted = sum(float(row[f"train/{n}_weighted"]) for n in ("content", "global_style"))
        assert float(row["train/loss"]) == pytest.approx(weighted, rel=1e-4)
        raw = float(row["train/global_style"])
        assert float(row["train/global_style_weighted"]) == pytest.approx(10 * raw, rel=1e-4)
        assert float(row["train/images_per_second"]) > 0
    rates = [float(row["train/learning_rate"]) for row in logged]
    assert rates == pytest.approx([1e-4, 1e-4 / (1 + 5e-5)], rel=1e-6)
    facts = json.loads((finished / "finished.json").read_text())
    assert facts["steps"] == 2
    assert float(logged[1]["validation/loss"]) == pytest.approx(facts["metrics"]["validation/loss"])


def test_checkpoints_lack_the_encoder_and_hold_no_code(finished: Path) -> None:
    names = {path.name for path in (finished / "checkpoints").glob("*.ckpt")}
    assert names == {"last.ckpt", "previous.ckpt", "step_000002.ckpt"}
    state = torch.load(finished / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert state
    assert not any("encoder" in name for name in state)


def test_pictures(finished: Path) -> None:
    """One row, three columns."""
    panel = Image.open(finished / "images" / "step_000002.png")
    assert panel.size == (3 * 32 + 4 * 4, 32 + 2 * 4)
    assert list((finished / "tensorboard").glob("events.*"))


def test_the_network_says_how_it_came_about(finished: Path) -> None:
    description = read_description(finished / "network.safetensors")
    assert description.name == "adain"
    assert description.training["steps"] == 2
    assert description.training["images_per_step"] == 2
    assert description.training["seed"] == 3
    assert description.training["data"]["content_dir"] == "content"
    network = load_network(finished / "network.safetensors")
    assert network(torch.rand(1, 3, 40, 33), torch.rand(1, 3, 32, 32)).shape == (1, 3, 40, 33)


def test_whoever_may_read_one_file_may_read_the_others(finished: Path) -> None:
    names = ("network.safetensors", "config.yaml")
    assert len({(finished / name).stat().st_mode for name in names}) == 1


def test_a_checkpoint_is_as_good_as_the_network_of_that_step(copy: Path) -> None:
    early = find_network(copy / "checkpoints" / "previous.ckpt")
    late = find_network(copy / "checkpoints" / "last.ckpt")
    assert find_network(copy) == copy / "network.safetensors"
    facts = dict(read_description(copy / "network.safetensors").training)
    del facts["validation_loss"]
    assert read_description(early).training == {**facts, "steps": 1}
    assert read_description(late).training == {**facts, "steps": 2}
    expected, got = load_file(copy / "network.safetensors"), load_file(late)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    assert any(not torch.equal(expected[name], tensor) for name, tensor in load_file(early).items())
    load_network(early)


def test_a_run_that_was_killed_after_its_last_checkpoint(settings, copy: Path) -> None:
    finished = json.loads((copy / "finished.json").read_text())["metrics"]
    weights = (copy / "network.safetensors").read_bytes()
    for name in ("finished.json", "network.safetensors"):
        (copy / name).unlink()
    # Of a run that goes on: what it saved last.
    assert find_network(copy) == find_network(copy / "checkpoints" / "last.ckpt")
    run.train(settings(*OVERRIDES, "ckpt_path=last"))
    assert (copy / "network.safetensors").read_bytes() == weights
    assert json.loads((copy / "finished.json").read_text())["metrics"] == finished
    assert [row["step"] for row in rows(copy)] == ["1", "2"]


def test_a_second_start_builds_nothing(
    settings, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "vgg_encoder", None)
    metrics = json.loads((copy / "finished.json").read_text())["metrics"]
    loss = run.train(settings(*OVERRIDES, "ckpt_path=last"))
    assert loss == pytest.approx(metrics["validation/loss"])


def test_a_second_start_with_other_settings(settings, copy: Path) -> None:
    with pytest.raises(DatNetError, match=r"other settings \(.*seed was 3 and is 4"):
        run.train(settings(*OVERRIDES, "seed=4", "ckpt_path=last"))
    with pytest.raises(DatNetError, match="ckpt_path=last"):
        run.train(settings(*OVERRIDES, "trainer.max_steps=3"))
    run.train(settings(*OVERRIDES, "trainer.max_steps=3", "ckpt_path=last"))
    assert [row["step"] for row in rows(copy)] == ["1", "2", "3"]
