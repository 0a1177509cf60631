from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from datnet.errors import DatNetError
from datnet.networks.adain import AdaIN
from datnet.networks.microast import MicroAST
from datnet.networks.sanet import SANet
from datnet.networks.vgg import VggEncoder
from datnet.training.config import EncoderConfig
from datnet.training.initial_weights import begin_with, budget
from datnet.training.run import train
from datnet.training.run_folder import RunFolder
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
    """The run starts with the tensors of stage one, except those that stage one lacks."""
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


def test_a_beginning_stays_known_when_the_run_goes_on(settings, tmp_path: Path) -> None:
    """Resumed and extended, also from a checkpoint elsewhere; the network's file is gone."""
    start = tmp_path / "start.safetensors"
    start.write_bytes(trained_adain(settings, tmp_path).read_bytes())
    first = tmp_path / "first"
    adain = ("model=adain", "checkpoint_every=1")
    train(settings(*adain, f"init_from={start}", "trainer.max_steps=1", f"run_dir={first}"))
    origin = read_description(first / "network.safetensors").training["init_from"]
    start.unlink()
    prolonged = (*adain, "trainer.max_steps=2", "ckpt_path=last", f"run_dir={first}")
    train(settings(*prolonged, f"init_from={start}"))
    other = tmp_path / "other"
    checkpoint = first / "checkpoints" / "last.ckpt"
    train(settings(*adain, "trainer.max_steps=3", f"ckpt_path={checkpoint}", f"run_dir={other}"))
    for folder, steps in ((first, 2), (other, 3)):
        training = read_description(folder / "network.safetensors").training
        assert (training["steps"], training["init_from"]) == (steps, origin)


def trained_adain(settings, tmp_path: Path) -> Path:
    """A network file of AdaIN."""
    folder = tmp_path / "adain"
    train(settings("model=adain", "trainer.max_steps=1", f"run_dir={folder}"))
    return folder / "network.safetensors"


def test_what_cannot_begin_a_run_is_refused(settings, encoder: VggEncoder, tmp_path: Path) -> None:
    path = trained_adain(settings, tmp_path)
    with pytest.raises(DatNetError, match=r"no tensor of .* fits MicroAST"):
        begin_with(MicroAST(), str(path), EncoderConfig("vgg16"))
    with pytest.raises(DatNetError, match=r"trained with encoder=vgg16 .* has encoder=vgg19"):
        begin_with(AdaIN(encoder), str(path), EncoderConfig("vgg19"))
    with pytest.raises(DatNetError, match="no_such_run does not exist"):
        begin_with(AdaIN(encoder), "no_such_run", EncoderConfig("vgg16"))


def test_tensors_of_another_shape_keep_their_start(
    settings, encoder: VggEncoder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SANet's decoder is AdaIN's; a changed shape is as good as a missing tensor."""
    path = trained_adain(settings, tmp_path)
    network = SANet(encoder)
    network.decoder[0] = torch.nn.Conv2d(512, 256, 5)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with caplog.at_level(logging.INFO, logger="datnet.training.initial_weights"):
        begin_with(network, str(path), EncoderConfig("vgg16"))
    taken = load_file(path)
    for name, tensor in network.state_dict().items():
        fits = name in taken and not name.startswith("decoder.0.weight")
        assert torch.equal(tensor, taken[name] if fits else before[name])
    line = caplog.records[-1].getMessage()
    assert "not used: decoder.0.weight" in line
    assert "merge.weight" in line


def test_budgets_add_up() -> None:
    """Steps and images of a network include those of its initial network."""
    assert budget({"steps": 10, "images_per_step": 4}) == {"steps": 10, "images": 40}
    begun = {"steps": 10, "images_per_step": 4, "init_from": {"steps": 5, "images": 30}}
    assert budget(begun) == {"steps": 15, "images": 70}
    assert budget({"steps": 10}) == {"steps": None, "images": None}


def test_the_length_of_a_cosine_cannot_change(settings, tmp_path: Path) -> None:
    """Every learning rate depends on it; with a decay a run can be extended."""
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / "last.ckpt").touch()
    for schedule, refused in (("cosine", True), ("decay", False)):
        recipe = f"model.recipe.schedule={schedule}"
        OmegaConf.save(settings(recipe, "trainer.max_steps=10"), folder.config)
        longer = settings(recipe, "trainer.max_steps=20")
        if refused:
            with pytest.raises(DatNetError, match=r"trainer\.max_steps was 10 and is 20"):
                folder.check_same_settings(longer)
        else:
            folder.check_same_settings(longer)
