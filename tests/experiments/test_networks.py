from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from datnet.zoo.configs import CONFIG_DIR
from datnet.zoo.network_file import NetworkDescription, save_network
from datnet.zoo.training_free import TRAINING_FREE
from experiments.networks import facts_of_training, train_networks
from experiments.options import argument_parser
from experiments.plan import plan_of


def test_facts_of_training_are_those_of_what_is_trained(tmp_path: Path) -> None:
    training = {"steps": 7, "images_per_step": 2, "seed": 3, "data": "pictures"}
    trained = NetworkDescription("adain", {}, {"arch": "vgg16"}, training)
    files = {"adain": trained, "gatys": TRAINING_FREE["gatys_vgg19"]}
    for name, description in files.items():
        save_network(torch.nn.Linear(1, 1), description, tmp_path / name)
    facts = facts_of_training({name: [tmp_path / name] for name in files})
    assert facts["steps"] == 7
    assert facts["encoder"] == "vgg16"


def test_paths_with_an_apostrophe_reach_the_trainings(
    tmp_path: Path, one_picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[list[str]] = []

    def run(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        trained.append(command[command.index("datnet.training") + 1 :])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("experiments.networks.subprocess.run", run)
    folder = str(tmp_path / "it's mine")
    options = ["--scale", "paper", "--content", folder, "--style", folder, "--output", folder]
    options += ["--eval-content", str(one_picture), "--eval-style", str(one_picture)]
    arguments = argument_parser("experiments.table1", "").parse_args(options)
    train_networks(plan_of(arguments, ["adain"]), "paper", ["adain"])
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose("train", trained[0])
    assert config.data.content_dir == config.data.style_dir == folder
    assert config.run_dir == str(Path(folder) / "adain" / "seed_1")
