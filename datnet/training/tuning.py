"""Tunes a network to one painting, or a few, as `datnet tune` does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from datnet import provenance
from datnet.data.pairs import PairDataset, collate
from datnet.data.sets import ImageFiles, ImageSet, open_images
from datnet.devices import choose_device, keep_freed_memory
from datnet.errors import DatNetError
from datnet.images.embedded import VERSION, sample_images
from datnet.images.errors import UnwritableFileError
from datnet.images.opening import open_style
from datnet.images.tensors import to_tensor
from datnet.networks.base import StyleTransferNetwork
from datnet.networks.own_paintings import OwnStyleNetwork
from datnet.objectives.base import Objective
from datnet.training.tuning_beginning import Beginning, find_beginning
from datnet.training.tuning_preview import Preview
from datnet.zoo.encoder import vgg_encoder
from datnet.zoo.instantiate import build_with_encoder
from datnet.zoo.network_file import (
    PAINTINGS_PREFIX,
    NetworkDescription,
    save_tensors,
)

PAINTING_SIDE = 512
"""Largest shorter side of a painting in the network's file, in pixels."""

SPARE = 1.25
"""Shorter side of pictures relative to the crops, which thus differ from step to step."""

BATCH_SIZE = 2

PREVIEW_SECONDS = 60.0

UNCHANGED = 1.0
"""Mean change of a preview's color values, of 255, below which tuning ends."""


@dataclass(frozen=True)
class Settings:
    """Settings of a tuning.

    Attributes:
        begin: A trained network, see :func:`~datnet.zoo.lookup.find_network`, or "johnson" for one
            from scratch.
        photos: Folder of photographs; None for those of the embedded sample set.
        minutes: Longest duration.
        steps: Largest number of steps; None for no limit.
        size: Side of the square crops in pixels.
        device: As for :class:`datnet.Stylizer`.
        seed: Seed of the initial weights and crops.
    """

    begin: str = "adain"
    photos: Path | None = None
    minutes: float = 10.0
    steps: int | None = None
    size: int = 256
    device: str | None = None
    seed: int = 1


def tune(
    paintings: Sequence[Path],
    output: Path,
    settings: Settings,
    *,
    report: Callable[[str], None] = print,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Tune a network to paintings and write it.

    All trained parts of the network are tuned with its method's objective, with Adam and a learning
    rate that falls to 0 as half a cosine over the steps or the time.

    Args:
        paintings: The paintings.
        output: The network to write; its preview is ``NAME.preview.jpg`` beside it.
        settings: The settings.
        report: Called with one line at each preview.
        clock: Returns seconds.

    Raises:
        DatNetError: If a file cannot be read or written, the network cannot be tuned, or its loss
            is no longer finite.
        KeyboardInterrupt: If it is interrupted; the network is written before.
    """
    names = distinct_names(paintings)
    pictures = {
        name: open_style(path, None, PAINTING_SIDE)
        for name, path in zip(names, paintings, strict=True)
    }
    photos = open_images(settings.photos or sample_images().train_content)
    device = choose_device(settings.device)
    if device.type == "cpu":
        keep_freed_memory()
    torch.manual_seed(settings.seed)
    begun = find_beginning(settings.begin, names)
    network = begun.network.to(device)
    if isinstance(network, OwnStyleNetwork):
        for name, picture in pictures.items():
            network.paintings.show(name, to_tensor(picture))
    encoder = getattr(network, "encoder", None)
    if encoder is None:
        encoder = vgg_encoder(**begun.description.encoder).to(device)
    objective: Objective[Any] = build_with_encoder(begun.objective, lambda: encoder).to(device)
    styles = ImageFiles("/", [str(path.absolute()).lstrip("/") for path in paintings])
    pairs = PairDataset(
        photos,
        styles,
        short_side=round(SPARE * settings.size),
        crop_size=settings.size,
        horizontal_flip=True,
        seed=settings.seed,
        whole_styles=bool(begun.recipe.get("whole_styles")),
    )
    preview = Preview(
        list(pictures.values()), settings.size, output.with_suffix(".preview.jpg"), encoder
    )
    steps = 0
    try:
        for steps in optimize(network, objective, pairs, begun.recipe, settings, clock):
            if clock() - preview.time >= PREVIEW_SECONDS or steps == 0:
                changed = preview.draw(network, clock())
                report(f"step {steps}: {preview}")
                if steps and changed < UNCHANGED:
                    report("the preview no longer changes")
                    break
        preview.draw(network, clock())
        report(f"step {steps}: {preview}")
    except KeyboardInterrupt:
        if steps:
            save_tuned(network, pictures, describe(begun, names, settings, steps, photos), output)
            report(f"interrupted after step {steps}; wrote {output}")
        raise
    save_tuned(network, pictures, describe(begun, names, settings, steps, photos), output)


def save_tuned(
    network: StyleTransferNetwork,
    pictures: Mapping[str, Image.Image],
    description: NetworkDescription,
    path: Path,
) -> None:
    """Write a tuned network with its paintings.

    Args:
        network: The network.
        pictures: Its paintings by name.
        description: Its description, with these names.
        path: The file.

    Raises:
        UnwritableFileError: If it cannot be written.
    """
    tensors = dict(network.state_dict())
    if not isinstance(network, OwnStyleNetwork):  # which holds small pictures of them
        for index, picture in enumerate(pictures.values()):
            tensors[f"{PAINTINGS_PREFIX}{index}"] = (to_tensor(picture) * 255).round().byte()
    try:
        save_tensors(tensors, description, path)
    except OSError as error:
        raise UnwritableFileError(f"{path} cannot be written: {error.strerror}") from error


def optimize(
    network: StyleTransferNetwork,
    objective: Objective[Any],
    pairs: PairDataset,
    recipe: dict[str, Any],
    settings: Settings,
    clock: Callable[[], float],
) -> Iterator[int]:
    """Train step by step, until the time or the steps are over.

    Yields:
        The number of steps done, from 0 on.

    Raises:
        DatNetError: If the loss is not finite.
    """
    weights = [each for each in network.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=recipe["learning_rate"])
    device = weights[0].device
    start = clock()
    steps = 0
    while True:
        done = (clock() - start) / (60 * settings.minutes)
        if settings.steps is not None:
            done = max(done, steps / settings.steps)
        yield steps
        if done >= 1:
            return
        for group in optimizer.param_groups:
            group["lr"] = recipe["learning_rate"] * (1 + math.cos(math.pi * done)) / 2
        network.train()
        batch = collate([pairs[steps * BATCH_SIZE + index] for index in range(BATCH_SIZE)])
        loss = objective.total(
            objective.terms(network, batch.content.to(device), batch.style.to(device))
        )
        if not loss.isfinite():
            raise DatNetError(f"the loss is not finite after {steps} steps; begin with another one")
        optimizer.zero_grad()
        loss.backward()
        if recipe.get("gradient_clip"):
            torch.nn.utils.clip_grad_norm_(weights, recipe["gradient_clip"])
        optimizer.step()
        network.eval()
        steps += 1


def describe(
    begun: Beginning, paintings: list[str], settings: Settings, steps: int, photos: ImageSet
) -> NetworkDescription:
    """Describe a tuned network."""
    where = (
        f"folder {settings.photos.name}"
        if settings.photos
        else f"embedded sample set, version {VERSION}"
    )
    return NetworkDescription(
        begun.description.name,
        begun.description.network,
        begun.description.encoder,
        {
            "paintings": paintings,
            "images_per_step": BATCH_SIZE,
            "steps": steps,
            "data": f"{len(photos)} photographs ({where})",
            "seed": settings.seed,
            **({"init_from": begun.origin} if begun.origin else {}),
            "objective": begun.objective,
            "learning_rate": begun.recipe["learning_rate"],
            "schedule": "cosine",
            "final_learning_rate": 0.0,
            "commit": provenance.commit(),
            "description": f"tuned to {', '.join(paintings)} with crops of {settings.size} pixels",
        },
    )


def distinct_names(paintings: Sequence[Path]) -> list[str]:
    """File names of paintings.

    Raises:
        DatNetError: If two are equal.
    """
    names = [path.name for path in paintings]
    for name in names:
        if names.count(name) > 1:
            raise DatNetError(f"two paintings are called {name}; rename one of them")
    return names
