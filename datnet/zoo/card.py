"""Model cards: a page about a trained network, where it comes from and how to use it.

Everything is read from the network's file, so any copy of the file is self-describing. The file is
long because every fact of a training has its sentence here.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datnet.errors import DatNetError
from datnet.networks.vgg import VggEncoder
from datnet.zoo.configs import model_config
from datnet.zoo.instantiate import find_target
from datnet.zoo.network_file import (
    NetworkDescription,
    build_network,
    painting_names,
    read_description,
)
from datnet.zoo.parameters import ParameterCounts, parameters

FEWEST_PUBLISHED_PAIRS = 400_000
"""Pairs of images in the shortest published training in conf/model: 50 000 steps of 8."""

Row = tuple[str, object]


@dataclass(frozen=True)
class NetworkFile:
    """A network file and what is known about it without loading it.

    Attributes:
        path: The file.
        description: Its header.
        size: Its size in bytes.
        sha256: SHA-256 of the whole file.
        parameters: Counts by part, including the encoder, which is not in the file; None if this
            version of DatNet cannot build the network.
    """

    path: Path
    description: NetworkDescription
    size: int
    sha256: str
    parameters: ParameterCounts | None

    @classmethod
    def read(cls, path: Path) -> NetworkFile:
        """Inspect a file of :func:`datnet.zoo.network_file.save_network`.

        Raises:
            DatNetError: If it is missing or is not such a file.
        """
        description = read_description(path)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return cls(path, description, path.stat().st_size, sha256, count_parameters(description))


def count_parameters(description: NetworkDescription) -> ParameterCounts | None:
    """Count a network's parameters by building it with random weights; None if that fails."""
    arch = description.encoder.get("arch", "vgg16")
    try:
        with torch.random.fork_rng(devices=[]):
            return parameters(build_network(description.network, lambda: VggEncoder(arch)))
    except (DatNetError, AttributeError, ValueError):
        return None


def facts(file: NetworkFile) -> dict[str, list[Row]]:
    """Return the known facts about a network: rows of title and value by section.

    Recorded values are not changed, except that folders appear by their last name, since the rest
    of a path belongs to the machine.
    """
    description, training = file.description, file.description.training
    settings = {k: v for k, v in description.network.items() if k != "_target_"}
    encoder = dict(description.encoder)
    if encoder.get("weights"):
        encoder["weights"] = Path(encoder["weights"]).name
    needs_encoder = file.parameters is None or "encoder" in file.parameters.by_part
    network: list[Row] = [
        ("name", description.name),
        ("class", description.network.get("_target_")),
        ("settings", phrase(settings)),
        ("encoder", phrase(encoder) if needs_encoder else "none, the network has its own"),
    ]
    if file.parameters:
        parts = {name: f"{count:,}" for name, count in file.parameters.by_part.items()}
        network.append(("parameters", f"{file.parameters.total:,}: {phrase(parts)}"))
    network += [
        ("file", f"{file.path.name}, {file.size / 1e6:.1f} MB"),
        ("SHA-256", file.sha256),
    ]
    return {
        "Network": known(network),
        "Training": known(training_facts(training)),
    }


def training_facts(training: Mapping[str, Any]) -> Iterable[Row]:
    """Yield facts about the training, for networks of `datnet train` and published ones."""
    data = training.get("data")
    data = data if isinstance(data, dict) else {"pictures": data}
    counts = training.get("images", {})
    fingerprints = training.get("image_fingerprints", {})
    for kind in ("content", "style"):
        folder = data.get(f"{kind}_dir")
        if "content_dir" in data:
            where = f"folder {Path(folder).name}" if folder else "embedded sample set"
            if not folder and kind in fingerprints:  # before version 2, file names were hashed
                _, named, version = fingerprints[kind].rpartition("sample version ")
                where += f", version {version if named else 1}"
            count = f"{counts[kind]:,} images, " if kind in counts else ""
            yield f"{kind} images", count + where
    yield "pictures", data.get("pictures")
    yield (
        "license of the pictures",
        data.get("licence")
        or (
            "not recorded (data.licence='…' of `datnet train` does)"
            if "content_dir" in data
            else None
        ),
    )
    if "crop_size" in data:
        short_side = data.get("short_side")
        resized = f" of images resized to a shorter side of {short_side}" if short_side else ""
        yield "crops", f"{data['crop_size']} × {data['crop_size']} pixels{resized}"
    yield "late crops", late_crops(data)
    steps, batch = training.get("steps"), training.get("images_per_step")
    if steps is not None:
        pairs = f" of {batch} pairs, {steps * batch:,} pairs in all" if batch else ""
        yield "steps", f"{steps:,}{pairs}"
    yield "initial weights", beginning(training)
    objective = dict(training.get("objective") or {})
    yield "objective", objective.pop("_target_", None)
    yield "weights of the loss", phrase(objective)
    decay = training.get("learning_rate_decay")
    rate = training.get("learning_rate")
    if training.get("schedule") == "cosine":
        end = training.get("final_learning_rate") or 0
        yield "learning rate", f"{rate:g} to {end:g}, half a cosine over the run"
    else:
        yield "learning rate", f"{rate:g} / (1 + {decay:g} · step)" if rate and decay else rate
    if training.get("warmup_steps"):
        start = training.get("warmup_learning_rate") or 0
        yield "warm-up", f"{training['warmup_steps']:,} steps before that, rising from {start:g}"
    yield "largest gradient", training.get("gradient_clip")
    yield "largest gradient of attention", training.get("attention_gradient_clip")
    yield "precision", training.get("precision")
    yield "decay of the moving average of the weights", training.get("weight_average")
    yield "seed", training.get("seed")
    loss = training.get("validation_loss")
    yield "validation loss", f"{loss:.5g}" if loss is not None else None
    yield from reconstruction_facts(training.get("reconstruction") or {})
    yield "commit", training.get("commit")
    yield "trained by", training.get("trained_by")
    yield "source", training.get("source")
    yield "license of the weights", training.get("licence")
    yield "note", training.get("description")


def reconstruction_facts(reconstruction: Mapping[str, Mapping[str, float]]) -> Iterable[Row]:
    """Yield how well a network reconstructs photographs that are their own style, by size."""
    for size, values in reconstruction.items():
        yield (
            f"reconstruction at {size} × {size}",
            f"contrast {values['contrast']:.3f} of the photograph's, mean luminance differs by "
            f"{values['lightness']:.3f} of 1, SSIM {values['ssim']:.3f}, correlation of tones "
            f"{values['tones']:.3f}; means over {values['photographs']:.0f} photographs",
        )


def beginning(training: Mapping[str, Any]) -> str | None:
    """Describe the network that a training was initialized from; None if there was none."""
    origin = training.get("init_from")
    if origin is None:
        return None
    seen = ""
    if origin["steps"] is not None:
        seen = f": {origin['steps']:,} steps, {origin['images']:,} images, counted in this budget"
    return f"the weights of {origin['name']} (SHA-256 {origin['sha256']}){seen}"


def late_crops(data: Mapping[str, Any]) -> str | None:
    """Describe the larger crops at the end of a training; None if there were none."""
    if data.get("late_from_step") is None:
        return None
    size, short_side = data["late_crop_size"], data["late_short_side"]
    resized = f" of images resized to a shorter side of {short_side}" if short_side else ""
    return f"{size} × {size} pixels{resized}, from step {data['late_from_step']:,} on"


def known(rows: Iterable[Row]) -> list[Row]:
    """Drop rows whose value is None or empty."""
    return [(title, value) for title, value in rows if value not in (None, "")]


def phrase(values: Mapping[str, Any]) -> str:
    """Format settings as text: ``arch vgg16, normalized True``; nested ones in parentheses."""
    return ", ".join(
        f"{key} ({phrase(value)})" if isinstance(value, Mapping) else f"{key} {value}"
        for key, value in values.items()
        if value is not None
    )


def introduction(description: NetworkDescription) -> str:
    """Describe a network and its paper, by the first two paragraphs of its module's docstring."""
    try:
        module = inspect.getmodule(find_target(description.network))
    except DatNetError:
        module = None
    paragraphs = (inspect.getdoc(module) or "").split("\n\n")[:2]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph)


def published_pairs(name: str) -> int | None:
    """Return the number of training pairs in a method's paper, by conf/model; None if unknown."""
    config = model_config(name)
    return int(config["recipe"]["steps"] * config["recipe"]["batch_size"]) if config else None


def limits(file: NetworkFile) -> list[str]:
    """List the limits that a user should know before relying on a network."""
    training = file.description.training
    seen = (training.get("steps") or 0) * (training.get("images_per_step") or 0)
    seen += (training.get("init_from") or {}).get("images") or 0
    published = published_pairs(file.description.name)
    points = []
    if 0 < seen < (published or FEWEST_PUBLISHED_PAIRS) / 10:
        theirs = (
            f"its paper's network saw {published:,}"
            if published
            else f"those of papers saw {FEWEST_PUBLISHED_PAIRS:,} and more"
        )
        points.append(f"It saw {seen:,} pairs of pictures; {theirs}. Expect lower quality.")
    if file.parameters is None or "encoder" in file.parameters.by_part:
        points.append(
            "The encoder was trained on ImageNet by others; its weights are not in the file, and "
            "the network needs the same ones."
        )
    return [
        *points,
        "It works best on pictures that resemble its training pictures.",
        "The strokes have a size in pixels, so results at other sizes than the training crops look "
        "different.",
        "A picture in the manner of a living artist can infringe that artist's rights; the license "
        "of the weights does not settle that.",
    ]


def model_card(file: NetworkFile, measured: str | None = None, called: str | None = None) -> str:
    """Format the model card of a network.

    Args:
        file: The network.
        measured: Results of an evaluation, in Markdown, see
            :func:`datnet.evaluation.of_network.measured`.
        called: Its name in example commands; by default its file's name.

    Returns:
        The page, in Markdown.
    """
    description, called = file.description, called or file.path.name
    own = painting_names(description)
    style = "painting.jpg" if not own else own[0]
    sections = [
        f"# {description.name}",
        "Arbitrary style transfer: it stylizes any photograph in the manner of any painting."
        if not own
        else f"It stylizes any photograph in the manner of {' or '.join(own)}, and no other.",
        introduction(description),
    ]
    for title, rows in facts(file).items():
        sections += [f"## {title}", fact_table(rows)]
    sections.append("## Measured")
    sections.append(
        measured
        or f"Nothing yet: `datnet evaluate {called}` measures it, and `datnet info {called} "
        "--card` then shows the numbers."
    )
    sections += ["## Limits", "\n".join(f"- {point}" for point in limits(file))]
    sections += [
        "## Use",
        f"```console\n$ datnet stylize photo.jpg --style {style} -o result.png "
        if own
        else "```console\n$ datnet stylize photo.jpg painting.jpg -o result.png "
        f"--checkpoint {called}\n$ datnet export {called} -o network.onnx\n```",
        f'```python\nfrom datnet import Stylizer\n\nStylizer("{called}")'
        f'("photo.jpg", "{style}").save("result.png")\n```',
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def fact_table(rows: Iterable[Row]) -> str:
    """Format rows as a Markdown table with two columns."""
    lines = [f"| {title} | {str(value).replace('|', chr(92) + '|')} |" for title, value in rows]
    return "\n".join(["| | |", "|---|---|", *lines])
