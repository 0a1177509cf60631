"""Make the embedded pictures anew, the files of ``datnet/images/sample_pictures``.

    python -m experiments.embedded_pictures            # about two minutes
    python -m experiments.embedded_pictures --output DIR

The photographs are those inside the installed package scikit-image whose makers let anyone use
them; the paintings come from :mod:`experiments.painter`. After a change of the pictures,
``datnet.images.embedded.VERSION`` is one more: trainings and evaluations name it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from datnet.images.embedded import FOLDER
from experiments.painter import MANNERS, Manner, cubism, mosaic, night_sky, watercolour, woodcut

SEED = 7
TRAIN_SHORT_SIDE = 352
EVAL_SIDE = 512
# width and height of the first and second training picture of a manner
TRAIN_STYLE_SIZES = ((352, 352), (384, 320))
EVAL_STYLES: tuple[tuple[Manner, int], ...] = (
    (night_sky, 101),
    (woodcut, 101),
    (mosaic, 101),
    (watercolour, 101),
    (cubism, 101),
)
# All pictures together must stay within 1.5 MB; at 70 the strokes are still sharp.
QUALITY = 70

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels


@dataclass(frozen=True)
class Photograph:
    """A photograph inside scikit-image.

    Attributes:
        name: What the images made from it are called.
        file: Its name in the folder skimage/data.
        details: Boxes to cut out as images of their own, beside the whole.
    """

    name: str
    file: str
    details: tuple[Box, ...] = ()


TRAIN_PHOTOGRAPHS = (
    Photograph(
        "astronaut",
        "astronaut.png",
        (
            (60, 0, 380, 300),
            (0, 192, 320, 512),
            (230, 0, 512, 282),
            (150, 150, 512, 512),
            (0, 0, 270, 270),
        ),
    ),
    Photograph("hubble", "hubble_deep_field.jpg", ((0, 300, 400, 700), (560, 60, 860, 360))),
    Photograph("tissue", "ihc.png", ((0, 0, 300, 300), (200, 190, 512, 512))),
    Photograph("retina", "retina.jpg", ((60, 430, 560, 930),)),
    Photograph("coins", "coins.png", ((0, 0, 260, 260),)),
    Photograph("brick", "brick.png"),
    Photograph("grass", "grass.png"),
    Photograph("gravel", "gravel.png"),
)
EVAL_PHOTOGRAPHS = (
    Photograph("camera", "camera.png"),
    Photograph("chelsea", "chelsea.png"),
    Photograph("coffee", "coffee.png"),
    Photograph("rocket", "rocket.jpg"),
)


def main() -> None:
    """Make all pictures and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=FOLDER, help=f"default: {FOLDER}")
    output = parser.parse_args().output
    total = 0
    for place, image in tqdm(pictures(), unit="picture"):
        path = output / f"{place}.webp"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=QUALITY, method=6)
        total += path.stat().st_size
    print(f"{total:,} bytes in {output}")


def pictures() -> Iterator[tuple[str, Image.Image]]:
    """Every picture of the set with its folder and its name."""
    for photograph in TRAIN_PHOTOGRAPHS:
        whole = read(photograph)
        for number, box in enumerate(((0, 0, *whole.size), *photograph.details)):
            yield f"train_content/{photograph.name}-{number}", shrink(whole.crop(box))
    for photograph in EVAL_PHOTOGRAPHS:
        yield f"eval_content/{photograph.name}", square(read(photograph))
    for manner in MANNERS:
        for number, size in enumerate(TRAIN_STYLE_SIZES):
            yield f"train_style/{manner.__name__}-{number}", paint(manner, number, size)
    for manner, number in EVAL_STYLES:
        picture = paint(manner, number, (EVAL_SIDE, EVAL_SIDE))
        yield f"eval_style/{manner.__name__}-{number}", picture


def paint(manner: Manner, number: int, size: tuple[int, int]) -> Image.Image:
    """The picture of a manner and a number, ``size`` in width and height."""
    # the name is in the seed, so that manners do not share one composition
    rng = np.random.default_rng([SEED, number, *manner.__name__.encode()])
    return manner(rng, *size)


def read(photograph: Photograph) -> Image.Image:
    """Open a photograph where pip installed scikit-image."""
    package = find_spec("skimage")  # finds the folder without the slow import
    assert package is not None
    assert package.submodule_search_locations is not None
    with Image.open(Path(package.submodule_search_locations[0], "data", photograph.file)) as image:
        return image.convert("RGB")


def shrink(image: Image.Image) -> Image.Image:
    """The image with its shorter side at most ``TRAIN_SHORT_SIDE``."""
    factor = TRAIN_SHORT_SIDE / min(image.size)
    if factor >= 1:
        return image
    width, height = (round(side * factor) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def square(image: Image.Image) -> Image.Image:
    """The middle square of the image at ``EVAL_SIDE`` pixels."""
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    box = (left, top, left + side, top + side)
    return image.crop(box).resize((EVAL_SIDE, EVAL_SIDE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
