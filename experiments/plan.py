"""Plan of a comparison: what is trained and measured, from the options of its command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datnet.errors import DatNetError
from datnet.evaluation.pairs import Pair, every_pair
from datnet.images.embedded import sample_images
from datnet.images.finding import find_images
from datnet.networks.gatys import STEPS
from datnet.training.overrides import quoted
from datnet.zoo.shipped import shipped_names
from datnet.zoo.training_free import TRAINING_FREE, takes_steps


@dataclass(frozen=True)
class Scale:
    """How much is trained and measured.

    Args:
        name: Key of :data:`SCALES`.
        experiment: The training configuration; None for no training.
        size: Side of the evaluated images in pixels.
        contents: Maximum number of content images to evaluate on.
        styles: Maximum number of style images to evaluate on.
        steps: Steps of methods that optimize pixels; None leaves them out unless they are named.
        caveat: Printed above every table.
    """

    name: str
    experiment: str | None
    size: int
    contents: int
    styles: int
    steps: int | None
    caveat: str


SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            "sample",
            experiment="miniature",
            size=192,
            contents=4,
            styles=3,
            steps=10,
            caveat="MINIATURE, NOT THE PAPER'S PROTOCOL: a few steps on a few small pictures. It "
            "shows that training, evaluation and table work; its numbers say nothing about the "
            "paper's.",
        ),
        Scale(
            "pretrained",
            experiment=None,
            size=512,
            contents=50,
            styles=20,
            steps=None,
            caveat="NOT THE PAPER'S PROTOCOL where encoder, data or steps below differ from "
            "VGG-19, COCO with WikiArt, and the published number of steps.",
        ),
        Scale(
            "paper",
            experiment="paper",
            size=512,
            contents=50,
            styles=20,
            steps=STEPS,
            caveat="The paper's protocol as far as its text gives it; its 50 × 20 test images are "
            "not published.",
        ),
    )
}


@dataclass(frozen=True)
class ComparisonPlan:
    """What is trained and measured.

    Attributes:
        scale: The scale.
        models: Names in conf/model and of training-free methods, in the order of the table.
        pairs: Pairs to evaluate on, content by content.
        size: Side of the evaluated images in pixels.
        output: Output folder.
        seeds: Seeds of the trainings.
        overrides: Settings of the trainings.
        jobs: Number of processes that evaluate.
    """

    scale: Scale
    models: tuple[str, ...]
    pairs: tuple[Pair, ...]
    size: int
    output: Path
    seeds: tuple[int, ...] = (1,)
    overrides: tuple[str, ...] = ()
    jobs: int = 1

    @property
    def evaluation_folder(self) -> Path:
        """Folder of the evaluations, one for each number of images and size."""
        contents, styles = map(set, zip(*self.pairs, strict=True))
        name = f"evaluation_{len(contents)}x{len(styles)}"
        return self.output / (
            name if self.size == self.scale.size else f"{name}_{self.size}_pixels"
        )


def plan_of(arguments: argparse.Namespace, models: Sequence[str]) -> ComparisonPlan:
    """Build the plan from the options of :func:`argument_parser`.

    Args:
        arguments: The parsed options; not changed.
        models: All models of the table, in its order.

    Returns:
        The plan.

    Raises:
        DatNetError: If folders are missing, a model is unknown, or settings of trainings are given
            although nothing is trained.
    """
    scale = SCALES[arguments.scale or default_scale(arguments.models or [])]
    overrides = training_settings(arguments, scale)
    return ComparisonPlan(
        scale,
        models=tuple(chosen_models(arguments.models, scale, models)),
        pairs=tuple(evaluation_pairs(arguments, scale)),
        size=arguments.size or scale.size,
        output=arguments.output or Path("runs") / scale.name,
        seeds=tuple(arguments.seeds or [1]),
        overrides=tuple(overrides),
        jobs=arguments.jobs,
    )


def default_scale(models: Sequence[str]) -> str:
    """Return "pretrained" if all named networks are shipped or need no training, else "sample"."""
    trained = {model for model in models if model not in TRAINING_FREE}
    return "pretrained" if trained <= set(shipped_names()) else "sample"


def chosen_models(wanted: Sequence[str] | None, scale: Scale, models: Sequence[str]) -> list[str]:
    """Select models, in the order of the table.

    Args:
        wanted: Names of models; None for all that are feasible at this scale.
        scale: The scale.
        models: All models of the table.

    Returns:
        Names of the selected models.

    Raises:
        DatNetError: If a name is unknown, or none of the models is trained.
    """
    if wanted is None:
        return [
            model
            for model in models
            if not (
                scale.steps is None
                and model in TRAINING_FREE
                and takes_steps(TRAINING_FREE[model].network)
            )
        ]
    for model in wanted:
        if model not in models:
            raise DatNetError(f"--models {model}: it can be {', '.join(models)}")
    if all(model in TRAINING_FREE for model in wanted):
        raise DatNetError("--models names no network that is trained; add one, such as adain")
    return [model for model in models if model in wanted]


def evaluation_pairs(arguments: argparse.Namespace, scale: Scale) -> list[Pair]:
    """Return the pairs to evaluate on: every content with every style.

    Args:
        arguments: The parsed options.
        scale: The scale, with the default numbers of images.

    Returns:
        The pairs, content by content.

    Raises:
        DatNetError: If a folder contains no images.
    """
    content_dir, style_dir = arguments.eval_content, arguments.eval_style
    return every_pair(
        find_images(content_dir or sample_images().eval_content)[
            : arguments.contents or scale.contents
        ],
        find_images(style_dir or sample_images().eval_style)[: arguments.styles or scale.styles],
    )


def training_settings(arguments: argparse.Namespace, scale: Scale) -> list[str]:
    """Return the overrides of all trainings.

    Args:
        arguments: The parsed options.
        scale: The scale.

    Returns:
        "key=value" each.

    Raises:
        DatNetError: If overrides are given although nothing is trained, or folders that the scale
            needs are missing.
    """
    if scale.experiment is None and (arguments.overrides or arguments.seeds):
        given = arguments.overrides or ["--seeds", *map(str, arguments.seeds)]
        raise DatNetError(
            f"{' '.join(given)}: scale {scale.name} trains nothing; add --scale sample or "
            "--scale paper"
        )
    if scale.name != "paper":
        return list(arguments.overrides)
    needed = ("content", "style", "eval_content", "eval_style")
    if missing := [name for name in needed if getattr(arguments, name) is None]:
        raise DatNetError(
            f"scale paper needs {' and '.join('--' + name.replace('_', '-') for name in missing)}: "
            "folders of photographs and paintings, to train on (COCO and WikiArt in the paper) and "
            "to evaluate on, which are in no training folder (50 and 20 in the paper)"
        )
    return [
        *arguments.overrides,
        f"data.content_dir={quoted(str(arguments.content))}",
        f"data.style_dir={quoted(str(arguments.style))}",
    ]
