from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from datnet.training.run import train
from datnet.zoo.network_file import read_description

STAGE_ONE = ("experiment=reconstruction_datnet", "trainer.max_steps=1", "checkpoint_every=1")
UNAVERAGED = ("weight_average=null", "model.recipe.warmup_steps=null")


@pytest.fixture
def stage_one(settings, tmp_path: Path) -> Path:
    """A reconstruction of one step."""
    folder = tmp_path / "one"
    train(settings(*STAGE_ONE, *UNAVERAGED, f"run_dir={folder}"))
    return folder


def test_one_reconstruction_serves_the_variants(
    settings, stage_one: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the run begins with is stage one, except for what stage one lacks."""
    first = load_file(stage_one / "network.safetensors")
    for variant, lacking in (("datnet_spatial", 0), ("datnet_full", 5)):
        folder = tmp_path / variant
        overrides = (
            *("experiment=small_machine_two_stages", f"model={variant}", f"init_from={stage_one}"),
            *("data.late_from_step=null", "data.late_crop_size=null", "data.late_short_side=null"),
            *("trainer.max_steps=1", "checkpoint_every=1", "model.recipe.learning_rate=1e-12"),
        )
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="datnet.training.initial_weights"):
            train(settings(*overrides, *UNAVERAGED, f"run_dir={folder}"))
        line = next(r.getMessage() for r in caplog.records if "init_from" in r.getMessage())
        assert line.count("channel_attention") == lacking
        second = load_file(folder / "network.safetensors")
        assert second.keys() - first.keys() == {
            f"channel_attention.{number}.conv.weight" for number in range(lacking)
        }
        for name, tensor in first.items():
            torch.testing.assert_close(second[name], tensor, rtol=0, atol=1e-9)
        origin = read_description(folder / "network.safetensors").training["init_from"]
        assert (origin["name"], origin["steps"], origin["images"]) == (
            "datnet_reconstruction",
            1,
            2,
        )
        card = (folder / "model_card.md").read_text()
        assert origin["sha256"] in card
        assert "1 steps, 2 images, counted in this budget" in card
