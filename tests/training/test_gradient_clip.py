from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from datnet.errors import DatNetError
from datnet.networks.adain import AdaIN
from datnet.networks.datnet import DatNet
from datnet.objectives.adain import AdaINObjective
from datnet.objectives.datnet import DatNetObjective
from datnet.training.config import check
from datnet.training.module import StyleTransferModule
from datnet.training.run import train


def test_a_recipe_can_clip_gradients(settings) -> None:
    assert settings("model=artflow_adain").trainer.gradient_clip_val == 5
    assert settings("model=adain").trainer.gradient_clip_val is None
    config = settings("model=artflow_adain", "trainer.gradient_clip_val=null")
    assert config.trainer.gradient_clip_val is None
    check(config)


@pytest.mark.parametrize("key", ["model.recipe.gradient_clip", "trainer.gradient_clip_val"])
def test_a_negative_norm_is_refused(settings, key: str) -> None:
    with pytest.raises(DatNetError, match=f"{key} is -1.0; it must be finite and not negative"):
        check(settings(f"{key}=-1"))


def test_gradients_of_attention_are_clipped_alone(encoder) -> None:
    """Together: 3 and 4 in two modules of attention have a norm of 5, which becomes 1."""
    network = DatNet(encoder, channel_attention=False)
    module = StyleTransferModule(
        network,
        DatNetObjective(),
        **{"learning_rate": 1e-4, "learning_rate_decay": 0.0, "seed": 1},
        attention_gradient_clip=1.0,
    )
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    parts = (network.attention3.query, network.attention5.value, network.merge)
    for part, gradient in zip(parts, (3.0, 4.0, 7.0), strict=True):
        part.weight.grad.view(-1)[0] = gradient
    module.on_before_optimizer_step(torch.optim.Adam(network.parameters()))
    clipped = [part.weight.grad.view(-1)[0].item() for part in parts]
    assert clipped == pytest.approx([0.6, 0.8, 7.0], rel=1e-5)


def test_attention_is_clipped_in_training(settings, tmp_path: Path) -> None:
    """A norm of 0 keeps the attention modules from learning, and nothing else."""
    results = []
    for clip in ("null", "0"):
        folder = tmp_path / clip
        overrides = (f"run_dir={folder}", f"model.recipe.attention_gradient_clip={clip}")
        train(settings("model=datnet_spatial", "trainer.max_steps=1", *overrides))
        results.append(load_file(folder / "network.safetensors"))
    free, clipped = results
    different = {name for name in free if not torch.equal(free[name], clipped[name])}
    assert "attention4.value.weight" in different
    assert all(name.startswith("attention") for name in different)


def test_attention_that_is_not_there_cannot_be_clipped(encoder) -> None:
    with pytest.raises(DatNetError, match="AdaIN has no attention modules; it must be null"):
        StyleTransferModule(
            AdaIN(encoder),
            AdaINObjective(),
            **{"learning_rate": 1e-4, "learning_rate_decay": 0.0, "seed": 1},
            attention_gradient_clip=1.0,
        )
