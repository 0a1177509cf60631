"""Networks of a comparison: trained if missing, found, or built without training."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from datnet.errors import DatNetError
from datnet.training.config import TrainConfig
from datnet.training.overrides import quoted
from datnet.training.run_folder import RunFolder
from datnet.zoo.configs import CONFIG_DIR
from datnet.zoo.lookup import find_network
from datnet.zoo.network_file import read_description
from datnet.zoo.published import PUBLISHED
from datnet.zoo.shipped import shipped_file, shipped_names
from datnet.zoo.training_free import TRAINING_FREE, make_training_free, takes_steps, with_settings
from experiments.plan import ComparisonPlan


def find_networks(plan: ComparisonPlan) -> dict[str, list[Path]]:
    """Return the files of the networks by model, one per seed, after training missing ones.

    Returns:
        Files in the order of the plan's models; at scale pretrained, of the available ones.

    Raises:
        DatNetError: If a training stops, or no network is available.
    """
    trained = [model for model in plan.models if model not in TRAINING_FREE]
    if plan.scale.experiment is None:
        found = pretrained_networks(trained)
    else:
        found = train_networks(plan, plan.scale.experiment, trained)
    encoder = read_description(next(iter(found.values()))[0]).encoder
    for model in plan.models:
        if model in TRAINING_FREE:
            found[model] = [training_free_network(model, encoder, plan)]
    return {model: found[model] for model in plan.models if model in found}


def pretrained_networks(models: Sequence[str]) -> dict[str, list[Path]]:
    """Return the networks in pretrained/ and those published by their authors.

    Raises:
        DatNetError: If there are none.
    """
    networks, problems = {}, []
    for model in models:
        try:
            # The authors' own weights are used if pretrained/ has none.
            published = model in PUBLISHED and model not in shipped_names()
            networks[model] = [find_network(model) if published else shipped_file(model)]
        except DatNetError as error:
            problems.append(str(error))
    if not networks:
        raise DatNetError(f"scale pretrained finds no network: {'; '.join(problems)}")
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    return networks


def train_networks(
    plan: ComparisonPlan, experiment: str, models: Sequence[str]
) -> dict[str, list[Path]]:
    """Train all models with all seeds, each in its own process, unless they are finished.

    Args:
        plan: The plan, with seeds and overrides.
        experiment: The training configuration.
        models: Names of the models.

    Returns:
        Files of the networks by model, one per seed.

    Raises:
        DatNetError: If a training stops.
    """
    networks: dict[str, list[Path]] = {model: [] for model in models}
    for seed in plan.seeds:
        for model in models:
            run = RunFolder(plan.output / model / f"seed_{seed}")
            settings = [
                f"experiment={experiment}",
                f"model={model}",
                f"seed={seed}",
                f"run_dir={quoted(str(run.path))}",
                "ckpt_path=last",
                *plan.overrides,
            ]
            if not is_finished(run, settings):
                command = [sys.executable, "-m", "datnet.training", *settings]
                if subprocess.run(command, check=False).returncode:
                    raise DatNetError(
                        f"the training of {model} with seed {seed} stopped, see above"
                    )
            networks[model].append(run.network)
    return networks


def is_finished(run: RunFolder, settings: Sequence[str]) -> bool:
    """Whether a training is finished, checked without starting a process.

    Args:
        run: The run folder.
        settings: Overrides of the training.

    Returns:
        True if all its steps are done.

    Raises:
        DatNetError: If the folder holds a training with other settings.
    """
    if run.finished_steps() is None:  # composing the configuration takes a while
        return False
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose("train", list(settings))
    OmegaConf.resolve(config)
    return run.is_finished(cast(TrainConfig, config))


def training_free_network(model: str, encoder: dict[str, Any], plan: ComparisonPlan) -> Path:
    """Write the file of a training-free method, with the encoder of the other networks.

    If the encoder's description has no weights, as in some published networks, the method's own
    encoder is used.

    Args:
        model: Name of the method.
        encoder: Description of the other networks' encoder.
        plan: The plan, with output folder and steps.

    Returns:
        The file.
    """
    settings = {}
    if plan.scale.steps is not None and takes_steps(TRAINING_FREE[model].network):
        settings["steps"] = plan.scale.steps
    path = plan.output / model / "network.safetensors"
    make_training_free(
        with_settings(model, encoder if "weights" in encoder else None, **settings), path
    )
    return path


def titled(networks: Mapping[str, Sequence[Path]]) -> dict[str, Path]:
    """Return titles of rows: the model's name, with the seed if there are several."""
    titles = {}
    for model, paths in networks.items():
        for path in paths:
            seed = read_description(path).training.get("seed")
            titles[model if len(paths) == 1 else f"{model} seed {seed}"] = path
    return titles


def facts_of_training(networks: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """Return how the networks were trained: one value if they agree, otherwise one per network."""
    trained = {model: paths for model, paths in networks.items() if model not in TRAINING_FREE}
    descriptions = [read_description(path) for path in titled(trained).values()]
    trainings = [description.training for description in descriptions]
    facts = {
        "encoder": [description.encoder["arch"] for description in descriptions],
        "data": [describe_data(training["data"]) for training in trainings],
        "steps": [training["steps"] for training in trainings],
        "images_per_step": [training["images_per_step"] for training in trainings],
        "precision": [training.get("precision", "not recorded") for training in trainings],
        "recipe": [training.get("description", "") for training in trainings],
    }
    return {
        **{name: values[0] if len(set(values)) == 1 else values for name, values in facts.items()},
        "seeds": sorted({training["seed"] for training in trainings if "seed" in training}),
    }


def describe_data(data: Mapping[str, Any] | str) -> str:
    """Describe the training images in a few words."""
    if isinstance(data, str):
        return data
    if data.get("content_dir") is None:
        source = "embedded sample set"
    else:
        source = f"{Path(data['content_dir']).name} and {Path(data['style_dir']).name}"
    late = data.get("late_from_step")
    later = "" if late is None else f", {data['late_crop_size']}-pixel crops from step {late} on"
    return f"{source}, {data['crop_size']}-pixel crops{later}"
