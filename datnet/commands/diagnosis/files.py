"""Checks of pretrained weights, trained networks and training images."""

from __future__ import annotations

from collections.abc import Iterator

from datnet.commands.diagnosis.finding import Finding, one_line

SAMPLED_FILES = 24


def check_weights() -> Iterator[Finding]:
    """Check pretrained encoders and published networks."""
    from datnet.errors import DatNetError
    from datnet.zoo.backbones import BACKBONES, status
    from datnet.zoo.published import PUBLISHED, published_status

    for name in (*BACKBONES, *PUBLISHED):
        try:
            found = published_status(name) if name in PUBLISHED else status(name)
        except DatNetError as error:
            yield Finding("weights", name, "broken", one_line(error))
            continue
        if found.path is None:
            text = f"missing; downloaded when first needed, {found.download_megabytes} MB"
            yield Finding("weights", name, "note", text, f"datnet weights fetch {name}")
        else:
            yield Finding("weights", name, "ok", str(found.path))


def check_networks() -> Iterator[Finding]:
    """Check the networks that come with DatNet and those in runs/ of the current folder."""
    from datnet.errors import DatNetError
    from datnet.zoo.description import read_description
    from datnet.zoo.run_files import RUNS, trained_networks
    from datnet.zoo.shipped import shipped_file, shipped_names

    files = []
    shipped = shipped_names()
    for name in shipped:
        try:
            files.append(shipped_file(name))
        except DatNetError as error:
            yield Finding("networks", name, "broken", one_line(error))
    files += trained_networks(RUNS)
    for path in files:
        try:
            description = read_description(path)
        except DatNetError as error:
            yield Finding("networks", str(path), "note", one_line(error))
            continue
        steps = description.training.get("steps")
        text = description.name + (f", {steps} steps" if steps is not None else "")
        yield Finding("networks", str(path), "ok", text)
    if not files and not shipped:
        text = "none comes with this version, and none is in runs/ of the current folder"
        cure = "train one: datnet train, or get a published one: datnet weights fetch microast"
        yield Finding("networks", "networks", "note", text, cure)


def check_images(name: str, folder: str) -> Iterator[Finding]:
    """Count the images of a training folder and decode an evenly spaced sample of them.

    Args:
        name: "content" or "style".
        folder: Folder of images or shards, or its URL.

    Yields:
        One finding.
    """
    from datnet.data.sets import open_images
    from datnet.errors import DatNetError
    from datnet.images.errors import UnreadableImageError

    try:
        images = open_images(folder)
    except DatNetError as error:
        yield Finding("data", name, "broken", one_line(error))
        return
    count = min(len(images), SAMPLED_FILES)
    unreadable = []
    for number in range(count):
        try:
            images.read(number * len(images) // count, at_least=64)
        except UnreadableImageError as error:
            unreadable.append(error)
    text = f"{len(images)} images in {folder}; {count} were decoded"
    if not unreadable:
        yield Finding("data", name, "ok", text)
        return
    text += f", {len(unreadable)} of them cannot be used, for example {one_line(unreadable[0])}"
    if len(unreadable) == count:
        yield Finding("data", name, "broken", text)
    else:
        yield Finding("data", name, "note", f"{text}; training skips them")
