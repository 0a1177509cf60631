from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from datnet.errors import DatNetError
from datnet.training import run
from datnet.zoo.lookup import find_network

STEPS = ("model=adain", "trainer.max_steps=3", "checkpoint_every=1", "trainer.val_check_interval=2")


def checkpoint(folder: Path, name: str) -> dict:
    return torch.load(folder / "checkpoints" / name, weights_only=True)


@pytest.mark.slow
def test_the_average_is_saved_and_the_training_is_as_without(settings, tmp_path: Path) -> None:
    plain, averaged = tmp_path / "plain", tmp_path / "averaged"
    loss = run.train(settings(*STEPS, f"run_dir={plain}"))
    settings_of_both = (*STEPS, f"run_dir={averaged}", "weight_average=0.5")
    loss_of_average = run.train(settings(*settings_of_both))

    before, last = (checkpoint(averaged, name) for name in ("previous.ckpt", "last.ckpt"))
    expected = checkpoint(plain, "last.ckpt")["state_dict"]
    assert all(torch.equal(expected[name], last["state_dict"][name]) for name in expected)
    average, earlier = (state["callbacks"]["weight_average"]["average"] for state in (last, before))
    network = load_file(averaged / "network.safetensors")
    assert {f"network.{name}" for name in network} == average.keys()
    for name, tensor in average.items():
        # The decay warms up: 3 / (3 + 9) in the third step instead of 0.5.
        by_hand = 0.25 * earlier[name] + 0.75 * last["state_dict"][name]
        torch.testing.assert_close(tensor, by_hand, rtol=1e-5, atol=1e-7)
        assert torch.equal(network[name.removeprefix("network.")], tensor)
    of_checkpoint = load_file(find_network(averaged / "checkpoints" / "previous.ckpt"))
    assert all(torch.equal(of_checkpoint[name[8:]], tensor) for name, tensor in earlier.items())
    assert loss_of_average != loss
    finished = json.loads((averaged / "finished.json").read_text())
    assert finished["metrics"]["validation/loss"] == loss_of_average

    # killed between the last checkpoint and the end: there is no step left to train
    weights = (averaged / "network.safetensors").read_bytes()
    for name in ("finished.json", "network.safetensors"):
        (averaged / name).unlink()
    again = run.train(settings(*settings_of_both, "ckpt_path=last"))
    assert again == loss_of_average
    assert (averaged / "network.safetensors").read_bytes() == weights


@pytest.mark.slow
def test_the_average_begins_again_where_the_crops_change(settings, tmp_path: Path) -> None:
    late = ("late_from_step=2", "late_crop_size=48", "late_short_side=64")
    run.train(settings(*STEPS, "weight_average=0.9", *(f"data.{setting}" for setting in late)))

    before, last = (checkpoint(tmp_path / "run", name) for name in ("previous.ckpt", "last.ckpt"))
    average, earlier = (state["callbacks"]["weight_average"]["average"] for state in (last, before))
    for name, tensor in average.items():
        # The decay warms up again with other crops: 1 / (1 + 9) in their first step.
        by_hand = 0.1 * earlier[name] + 0.9 * last["state_dict"][name]
        torch.testing.assert_close(tensor, by_hand, rtol=1e-5, atol=1e-7)


def test_a_run_cannot_change_it_midway(settings, tmp_path: Path) -> None:
    with pytest.raises(DatNetError, match="weight_average is 1"):
        run.train(settings("weight_average=1"))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("weight_average: 0.9\n")
    (tmp_path / "run" / "network.safetensors").touch()
    with pytest.raises(DatNetError, match=r"weight_average was 0\.9 and is 0\.99"):
        run.train(settings("weight_average=0.99"))
