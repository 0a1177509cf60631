"""Trainings of networks that learn certain paintings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from datnet import Stylizer
from datnet.errors import DatNetError
from datnet.images.tensors import read_square
from datnet.training import run
from datnet.zoo.network_file import load_network, own_paintings, read_description
from tests.training.test_run import interrupt_at


def folder_of(pictures: Path, folder: Path, *numbers: int) -> Path:
    folder.mkdir()
    for number in numbers:
        shutil.copy(pictures / "style" / f"{number}.png", folder)
    return folder


def test_johnson_learns_one_painting_and_resumes(
    settings, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    styles = folder_of(pictures, tmp_path / "styles", 3)
    overrides = ["model=johnson", f"data.style_dir={styles}", "checkpoint_every=1"]
    overrides += ["trainer.max_steps=3", "data.horizontal_flip=true"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run.train(settings(*overrides, f"run_dir={whole}"))
    with monkeypatch.context() as patch:
        interrupt_at(1, patch)
        with pytest.raises(RuntimeError, match="power cut"):
            run.train(settings(*overrides, f"run_dir={parts}"))
    run.train(settings(*overrides, f"run_dir={parts}", "ckpt_path=last"))
    first, second = (load_file(each / "network.safetensors") for each in (whole, parts))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
    assert (whole / "images" / "step_000003.png").exists()
    assert "in the manner of 3.png, and no other" in (whole / "model_card.md").read_text()

    stylizer = Stylizer(whole, device="cpu")
    photo = pictures / "content" / "0.png"
    by_file = stylizer(photo, pictures / "style" / "3.png")
    assert by_file.size == (64, 48)
    assert stylizer(photo, "3.png").tobytes() == by_file.tobytes()
    other = pictures / "style" / "2.png"
    with pytest.raises(DatNetError, match=r"2.png: this network does not know .* only 3.png"):
        stylizer(photo, other)
    with pytest.raises(DatNetError, match="keep_colors=luminance"):
        stylizer(photo, "3.png", keep_colors="histogram")


def test_johnson_refuses_several_paintings(settings) -> None:
    with pytest.raises(DatNetError, match="holds 5 paintings, and model=johnson learns 1;"):
        run.train(settings("model=johnson", "trainer.max_steps=1"))
    with pytest.raises(DatNetError, match=r"leave data.whole_styles true"):
        run.train(settings("model=cin", "data.whole_styles=false", "trainer.max_steps=1"))


def test_cin_learns_a_new_painting_by_its_embedding_alone(
    settings, pictures: Path, tmp_path: Path
) -> None:
    known = folder_of(pictures, tmp_path / "known", 0, 2)
    first = tmp_path / "first"
    overrides = ("model=cin", "data.batch_size=2", "trainer.max_steps=2", "checkpoint_every=1")
    run.train(settings(*overrides, f"data.style_dir={known}", f"run_dir={first}"))
    assert list(own_paintings(first / "network.safetensors")) == ["0.png", "2.png"]

    added = (*overrides, f"data.style_dir={folder_of(pictures, tmp_path / 'new', 1)}")
    added += (f"init_from={first}", f"run_dir={tmp_path / 'second'}")
    with pytest.raises(DatNetError, match=r"knows 0.png and 1 more, which .*embeddings_only=true"):
        run.train(settings(*added))
    run.train(settings(*added, "model.network.embeddings_only=true"))
    path = tmp_path / "second" / "network.safetensors"
    assert read_description(path).network["paintings"] == ["0.png", "2.png", "1.png"]
    before, after = load_file(first / "network.safetensors"), load_file(path)
    moved = False
    for name, tensor in before.items():
        assert torch.equal(after[name][: len(tensor)] if "norm." in name else after[name], tensor)
        if "norm." in name:
            moved |= not torch.equal(after[name][2], tensor.mean(dim=0))
    assert moved  # the new painting's embedding is trained
    assert after["paintings.2"].any()

    # It goes on without the network that it began with.
    shutil.rmtree(first)
    longer = (*added, "trainer.max_steps=3", "ckpt_path=last")
    run.train(settings(*longer, "model.network.embeddings_only=true"))
    assert read_description(path).training["steps"] == 3

    stylizer = Stylizer(path, device="cpu")
    photo = pictures / "content" / "0.png"
    one, other = (stylizer(photo, f"{name}.png") for name in (1, 2))
    assert one.tobytes() != other.tobytes()
    mixed = stylizer(photo, ["1.png", pictures / "style" / "2.png"], weights=[3, 1])
    assert mixed.tobytes() not in (one.tobytes(), other.tobytes())


def test_a_pair_s_painting_chooses_the_embedding(settings, pictures: Path, tmp_path: Path) -> None:
    """As evaluations give it: the center square at another size."""
    overrides = ("model=cin", "trainer.max_steps=1", "checkpoint_every=1")
    run.train(settings(*overrides))
    path = tmp_path / "run" / "network.safetensors"
    network = load_network(path)
    squares = [read_square(pictures / "style" / f"{number}.png", 32) for number in (4, 1)]
    for square, number in zip(squares, (4, 1), strict=True):
        scale = network.encode_style(square)[0]
        expected = network.layers[0].norm.scale[number]
        assert torch.equal(scale[0, :, 0, 0], expected)


def test_embeddings_alone_need_a_trained_network(settings) -> None:
    with pytest.raises(DatNetError, match="name it with init_from"):
        run.train(settings("model=cin", "model.network.embeddings_only=true"))
