"""What tables and figures begin with: train what is missing, evaluate all on the same pairs.

Everything of one scale lies in one folder, so that tables and figures share trainings and results::

    runs/SCALE/MODEL/seed_N/   the trainings
    runs/SCALE/evaluation_*/   a folder for each network and control, with its pictures
    runs/SCALE/table1.md, figure5.png, …
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from datnet.commands.arguments import Parser, to_path, whole
from datnet.commands.process import run_command, say
from datnet.devices import choose_device
from datnet.errors import DatNetError
from datnet.evaluation.differences import PairValues, estimates_of, mean_pair_values
from datnet.evaluation.evaluate import evaluate_networks, results_folder
from datnet.evaluation.protocol import Pair, every_pair, image_names
from datnet.evaluation.summary import Estimate, Summary
from datnet.images.embedded import sample_images
from datnet.images.files import check_writable
from datnet.images.finding import find_images
from datnet.images.reading import read_image
from datnet.images.resizing import fit_square
from datnet.networks.gatys import STEPS
from datnet.training.config import TrainConfig
from datnet.training.run_folder import RunFolder
from datnet.zoo.configs import CONFIG_DIR
from datnet.zoo.lookup import network_file
from datnet.zoo.network_file import read_description
from datnet.zoo.published import PUBLISHED
from datnet.zoo.shipped import shipped_file, shipped_names
from datnet.zoo.training_free import TRAINING_FREE, make_training_free, takes_steps, with_settings


@dataclass(frozen=True)
class Scale:
    """How much is trained and measured.

    Args:
        experiment: The training configuration; None trains nothing.
        size: Side of the evaluated images.
        contents: Content images to evaluate at most.
        styles: Style images to evaluate at most.
        steps: Of methods that optimise the pixels; None leaves them out unless they are named.
        caveat: What stands above every table.
    """

    experiment: str | None
    size: int
    contents: int
    styles: int
    steps: int | None
    caveat: str


SCALES = {
    "sample": Scale(
        "miniature",
        size=192,
        contents=4,
        styles=3,
        steps=10,
        caveat="MINIATURE, NOT THE PAPER'S PROTOCOL: a few steps on a few small pictures. It shows "
        "that training, evaluation and table work; its numbers say nothing about the paper's.",
    ),
    "pretrained": Scale(
        None,
        size=512,
        contents=50,
        styles=20,
        steps=None,
        caveat="NOT THE PAPER'S PROTOCOL where encoder, data or steps below differ from VGG-19, "
        "COCO with WikiArt, and the published number of steps.",
    ),
    "paper": Scale(
        "paper",
        size=512,
        contents=50,
        styles=20,
        steps=STEPS,
        caveat="The paper's protocol as far as its text gives it; its 50 × 20 test images are not "
        "published.",
    ),
}


@dataclass(frozen=True)
class Comparison:
    """Networks measured on the same pairs.

    Args:
        scale: Key of :data:`SCALES`.
        output: Folder of everything of this scale.
        pairs: The pairs, content by content.
        networks: Files of the networks by model, one for each seed.
        summaries: The controls' and then the networks', in the order of the table.
    """

    scale: str
    output: Path
    pairs: list[Pair]
    networks: dict[str, list[Path]]
    summaries: list[Summary]

    def evaluations(self, model: str) -> list[Path]:
        """Folders of a model's evaluations, one for each seed."""
        return [
            results_folder(evaluation_folder(self.output, self.pairs), title, path)
            for title, path in titled(self.networks).items()
            if path in self.networks[model]
        ]

    def pair_values(self, model: str) -> PairValues:
        """A model's metrics on every pair, the mean over its seeds."""
        return mean_pair_values(self.evaluations(model))

    def estimates(self, model: str) -> dict[str, Estimate]:
        """A model's metrics, the mean over its seeds."""
        return estimates_of(self.pair_values(model))

    def result(self, model: str, pair: Pair) -> Image.Image:
        """What a model's first seed painted of a pair."""
        name = image_names(self.pairs)[self.pairs.index(pair)]
        with Image.open(self.evaluations(model)[0] / "images" / name) as image:
            return image.convert("RGB")

    def picture(self, path: Path) -> Image.Image:
        """A content or style image as the networks saw it."""
        return fit_square(read_image(path), SCALES[self.scale].size)

    def rows(self, count: int) -> list[Pair]:
        """Pairs for the rows of a figure: content i with style i, to show as many as possible."""
        contents = list(dict.fromkeys(content for content, _ in self.pairs))[:count]
        styles = list(dict.fromkeys(style for _, style in self.pairs))
        chosen = [(content, styles[i % len(styles)]) for i, content in enumerate(contents)]
        return [pair for pair in chosen if pair in self.pairs]


def argument_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """The options that all tables and figures have."""
    parser = Parser(
        f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--scale",
        choices=SCALES,
        help="sample: trainings of minutes on embedded pictures; pretrained: the networks under "
        "pretrained/; paper: the paper's protocol, GPU-days (default: pretrained; sample "
        "if --models names one that is not there)",
    )
    parser.add_argument(
        "--seeds", type=whole(0, 2**32 - 1), nargs="+", help="of the trainings (default: 1)"
    )
    parser.add_argument("--content", type=to_path, help="photographs to train on (scale paper)")
    parser.add_argument("--style", type=to_path, help="paintings to train on (scale paper)")
    parser.add_argument(
        "--eval-content", type=to_path, help="photographs to evaluate on (default: sample set)"
    )
    parser.add_argument(
        "--eval-style", type=to_path, help="paintings to evaluate on (default: sample set)"
    )
    for kind, name in (("contents", "photographs"), ("styles", "paintings")):
        parser.add_argument(
            f"--{kind}",
            type=whole(1),
            help=f"evaluate on the first so many {name}, for a first impression",
        )
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="MODEL",
        help="leave out all others, such as --models datnet_full adain wct (default: all; scale "
        "pretrained leaves out gatys, which takes hundreds of steps for every pair)",
    )
    parser.add_argument("--output", type=to_path, help="default: runs/SCALE")
    parser.add_argument(
        "overrides", nargs="*", help="settings of the trainings, such as trainer=gpu"
    )
    return parser


def run(parser: argparse.ArgumentParser, make: Callable[[argparse.Namespace], None]) -> None:
    """Make a table or figure; problems that a user can mend end in one line."""

    def command() -> None:
        try:
            make(parser.parse_args())
        except KeyboardInterrupt:
            say("the same command goes on from here")
            raise

    run_command(command)


def compare(arguments: argparse.Namespace, models: Sequence[str]) -> Comparison:
    """Train what is missing and evaluate what has not been evaluated.

    Args:
        arguments: Of :func:`argument_parser`.
        models: Names in conf/model and of methods without training, in the order of the table.

    Returns:
        The comparison; at scale pretrained it holds those of ``models`` that there are.

    Raises:
        DatNetError: If folders are missing, a training fails, there is no network, or settings
            of trainings are given where nothing is trained.
    """
    arguments.scale = arguments.scale or default_scale(arguments.models or [])
    scale = SCALES[arguments.scale]
    if scale.experiment is None and (arguments.overrides or arguments.seeds):
        given = arguments.overrides or ["--seeds", *map(str, arguments.seeds)]
        raise DatNetError(
            f"{' '.join(given)}: scale {arguments.scale} trains nothing; add --scale sample or "
            "--scale paper"
        )
    output = arguments.output or Path("runs") / arguments.scale
    check_writable([output / "table"])
    models = chosen_models(arguments, scale, models)
    pairs = evaluation_pairs(arguments, scale)
    trained = [model for model in models if model not in TRAINING_FREE]
    if scale.experiment is None:
        found = pretrained_networks(trained)
    else:
        found = train_networks(arguments, scale.experiment, trained, output)
    encoder = read_description(next(iter(found.values()))[0]).encoder
    for model in models:
        if model in TRAINING_FREE:
            found[model] = [training_free_network(model, encoder, scale, output)]
    networks = {model: found[model] for model in models if model in found}
    summaries = evaluate_networks(
        titled(networks),
        pairs,
        evaluation_folder(output, pairs),
        size=scale.size,
        save_images=True,
        device=choose_device(),
    )
    return Comparison(arguments.scale, output, pairs, networks, summaries)


def default_scale(models: Sequence[str]) -> str:
    """What needs no training, unless a network is asked for by name that does not ship."""
    trained = {model for model in models if model not in TRAINING_FREE}
    return "pretrained" if trained <= set(shipped_names()) else "sample"


def chosen_models(arguments: argparse.Namespace, scale: Scale, models: Sequence[str]) -> list[str]:
    """Those of the models that the user wants.

    Raises:
        DatNetError: If one is none of them, or none of them is trained.
    """
    if arguments.models is None:
        return [
            model
            for model in models
            if not (
                scale.steps is None
                and model in TRAINING_FREE
                and takes_steps(TRAINING_FREE[model].network)
            )
        ]
    for model in arguments.models:
        if model not in models:
            raise DatNetError(f"--models {model}: it can be {', '.join(models)}")
    if all(model in TRAINING_FREE for model in arguments.models):
        raise DatNetError("--models names no network that is trained; add one, such as adain")
    return [model for model in models if model in arguments.models]


def training_free_network(model: str, encoder: dict[str, Any], scale: Scale, output: Path) -> Path:
    """The file of a method without training, with the encoder that the others have.

    A published network may name an encoder that it does not need itself; then the method's own is
    taken.
    """
    settings = {}
    if scale.steps is not None and takes_steps(TRAINING_FREE[model].network):
        settings["steps"] = scale.steps
    path = output / model / "network.safetensors"
    make_training_free(
        with_settings(model, encoder if "weights" in encoder else None, **settings), path
    )
    return path


def evaluation_folder(output: Path, pairs: Sequence[Pair]) -> Path:
    """Where the evaluations of a scale lie, in a folder for each number of pictures."""
    contents, styles = map(set, zip(*pairs, strict=True))
    return output / f"evaluation_{len(contents)}x{len(styles)}"


def titled(networks: Mapping[str, Sequence[Path]]) -> dict[str, Path]:
    """Titles of rows: the model's name, with the seed where there are several."""
    titles = {}
    for model, paths in networks.items():
        for path in paths:
            seed = read_description(path).training.get("seed")
            titles[model if len(paths) == 1 else f"{model} seed {seed}"] = path
    return titles


def evaluation_pairs(arguments: argparse.Namespace, scale: Scale) -> list[Pair]:
    """The pairs to evaluate: every content with every style."""
    if arguments.scale == "paper" and not (arguments.eval_content and arguments.eval_style):
        raise DatNetError(
            "scale paper needs --eval-content and --eval-style: folders of photographs and "
            "paintings that are in no training folder (50 and 20 in the paper)"
        )
    if arguments.eval_content is None or arguments.eval_style is None:
        sample = sample_images()
        arguments.eval_content = arguments.eval_content or sample.eval_content
        arguments.eval_style = arguments.eval_style or sample.eval_style
    return every_pair(
        find_images(arguments.eval_content)[: arguments.contents or scale.contents],
        find_images(arguments.eval_style)[: arguments.styles or scale.styles],
    )


def pretrained_networks(models: Sequence[str]) -> dict[str, list[Path]]:
    """The networks under pretrained/, and those that their authors have published.

    Raises:
        DatNetError: If there is none.
    """
    networks, problems = {}, []
    for model in models:
        try:
            # The authors' own weights stand in where pretrained/ has none.
            published = model in PUBLISHED and model not in shipped_names()
            networks[model] = [network_file(model) if published else shipped_file(model)]
        except DatNetError as error:
            problems.append(str(error))
    if not networks:
        raise DatNetError(f"scale pretrained finds no network: {'; '.join(problems)}")
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    return networks


def train_networks(
    arguments: argparse.Namespace, experiment: str, models: Sequence[str], output: Path
) -> dict[str, list[Path]]:
    """Train every model with every seed, each in a process of its own, where it is missing.

    Raises:
        DatNetError: If a training stops.
    """
    overrides = list(arguments.overrides)
    if arguments.scale == "paper":
        if not (arguments.content and arguments.style):
            raise DatNetError("scale paper needs --content COCO_DIR and --style WIKIART_DIR")
        for key, folder in (("content_dir", arguments.content), ("style_dir", arguments.style)):
            overrides.append(f"data.{key}='{folder}'")
    networks: dict[str, list[Path]] = {model: [] for model in models}
    for seed in arguments.seeds or [1]:
        for model in models:
            run = RunFolder(output / model / f"seed_{seed}")
            settings = [
                f"experiment={experiment}",
                f"model={model}",
                f"seed={seed}",
                f"run_dir='{run.path}'",
                "ckpt_path=last",
                *overrides,
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
    """Whether a training is there already; sooner known than by starting one that finds it.

    Raises:
        DatNetError: If the folder holds a training with other settings.
    """
    if run.finished_steps() is None:  # composing takes a while
        return False
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        config = compose("train", list(settings))
    OmegaConf.resolve(config)
    return run.is_finished(cast(TrainConfig, config))


def facts_of_training(networks: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """What the networks were trained with: one value where they agree, else one for each."""
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
    """Where training pictures came from, in words."""
    if isinstance(data, str):
        return data
    if data.get("content_dir") is None:
        source = "embedded sample set"
    else:
        source = f"{Path(data['content_dir']).name} and {Path(data['style_dir']).name}"
    late = data.get("late_from_step")
    later = "" if late is None else f", {data['late_crop_size']}-pixel crops from step {late} on"
    return f"{source}, {data['crop_size']}-pixel crops{later}"
