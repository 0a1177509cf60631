"""The embedded image set: photographs and painted pictures that need no download.

Content images are photographs that come inside the installed packages scikit-image, scikit-learn
and matplotlib; style images are painted by `datnet.data.painter`. `sample_images` writes them once
to DatNet's cache folder. The set is for trying things out and for tests: it is far too small for
results that could be published.

Sources and licences of the photographs, as their packages document them (skimage/data/_fetchers.py
and sklearn/datasets/images/README.txt):

- astronaut: Eileen Collins, NASA Great Images, public domain.
- rocket: launch of DSCOVR on Falcon 9, SpaceX, released into the public domain.
- motorcycle: Middlebury 2014 stereo benchmark (D. Scharstein and others, GCPR 2014); scikit-image
  names the source and no licence.
- hubble: Hubble eXtreme Deep Field, NASA, public domain.
- camera: Lav Varshney, CC0.
- coins: Greek coins from Pompeii, Brooklyn Museum, no known copyright restrictions.
- brick: CC0Textures, CC0. gravel: CC0Textures, CC0. grass: DeviantArt user linolafett, CC0.
- moon: surface of the moon; scikit-image names neither source nor licence.
- chelsea: Stefan van der Walt, CC0. coffee: Rachel Michetti (Pikolo Espresso Bar), CC0.
- china: danielbuechele on Flickr, CC BY 2.0. flower: vultilion on Flickr, CC BY 2.0.
- hopper: Grace Hopper, portrait by the United States Navy, public domain (as matplotlib's pull
  request 1599 says).

Nothing is redistributed with DatNet: the files are read where pip installed them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from filelock import FileLock
from PIL import Image
from tqdm import tqdm

from datnet.data.painter import (
    MANNERS,
    Manner,
    cubism,
    mosaic,
    night_sky,
    watercolour,
    woodcut,
)
from datnet.errors import DatNetError
from datnet.zoo.backbones import cache_dir

FOLDER_NAME = "sample-v1"  # a new number for every change of the images
SEED = 7
TRAIN_SHORT_SIDE = 352
EVAL_SIDE = 512
# width and height of the first, second and third training picture of a manner
TRAIN_STYLE_SIZES = ((352, 352), (448, 352), (352, 448))
EVAL_STYLES: tuple[tuple[Manner, int], ...] = (
    (night_sky, 101),
    (woodcut, 101),
    (mosaic, 101),
    (watercolour, 101),
    (cubism, 101),
)

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels


@dataclass(frozen=True)
class SampleImages:
    """The folders of the embedded set; each holds JPEG files and nothing else."""

    train_content: Path
    train_style: Path
    eval_content: Path
    eval_style: Path


@dataclass(frozen=True)
class Photograph:
    """A photograph inside an installed package.

    Attributes:
        name: What the images made from it are called.
        package: Package that it comes with.
        path: Its place inside the package's folder.
        details: Boxes to cut out as images of their own, beside the whole.
    """

    name: str
    package: str
    path: str
    details: tuple[Box, ...] = ()


TRAIN_PHOTOGRAPHS = (
    Photograph(
        "astronaut",
        "skimage",
        "data/astronaut.png",
        ((60, 0, 380, 300), (0, 192, 320, 512), (230, 0, 512, 282), (150, 150, 512, 512)),
    ),
    Photograph(
        "hopper",
        "matplotlib",
        "mpl-data/sample_data/grace_hopper.jpg",
        ((100, 0, 440, 340), (0, 0, 280, 300), (0, 290, 512, 600), (80, 140, 400, 560)),
    ),
    Photograph(
        "motorcycle",
        "skimage",
        "data/motorcycle_left.png",
        (
            (0, 60, 300, 360),
            (90, 180, 390, 480),
            (280, 60, 620, 400),
            (420, 0, 741, 300),
            (470, 180, 741, 460),
        ),
    ),
    Photograph(
        "rocket",
        "skimage",
        "data/rocket.jpg",
        ((0, 60, 280, 427), (180, 90, 460, 427), (360, 60, 640, 427)),
    ),
    Photograph("hubble", "skimage", "data/hubble_deep_field.jpg", ((0, 300, 400, 700),)),
    Photograph("camera", "skimage", "data/camera.png", ((0, 30, 340, 370), (180, 100, 512, 420))),
    Photograph("coins", "skimage", "data/coins.png"),
    Photograph("brick", "skimage", "data/brick.png"),
    Photograph("grass", "skimage", "data/grass.png"),
    Photograph("gravel", "skimage", "data/gravel.png"),
    Photograph("moon", "skimage", "data/moon.png"),
)
EVAL_PHOTOGRAPHS = (
    Photograph("chelsea", "skimage", "data/chelsea.png"),
    Photograph("coffee", "skimage", "data/coffee.png"),
    Photograph("china", "sklearn", "datasets/images/china.jpg"),
    Photograph("flower", "sklearn", "datasets/images/flower.jpg"),
)


def sample_images() -> SampleImages:
    """The embedded set, made in the cache folder by the first call (about half a minute).

    The set is built in a folder beside its final place and renamed at the end, so it is there as a
    whole or not at all. When several processes ask at once, one builds and the others wait.

    Returns:
        The four folders. No photograph is both in training and evaluation, and the pictures of
        the evaluation come from seeds of their own.

    Raises:
        DatNetError: If a photograph is missing from its package or the cache cannot be written.
    """
    folder = cache_dir() / FOLDER_NAME
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_suffix(".lock")):
                if not folder.is_dir():
                    _build(folder)
        except OSError as error:
            raise DatNetError(
                f"Cannot write the sample images to {folder}: {error}. Set the environment "
                "variable DATNET_CACHE to a folder that you may write to and that has 20 MB free."
            ) from error
    return SampleImages(*(folder / name for name in SampleImages.__dataclass_fields__))


def _build(folder: Path) -> None:
    unfinished = folder.with_suffix(".unfinished")
    if unfinished.exists():  # left by a process that was interrupted
        shutil.rmtree(unfinished)
    for name in SampleImages.__dataclass_fields__:
        (unfinished / name).mkdir(parents=True)
    details = sum(1 + len(photograph.details) for photograph in TRAIN_PHOTOGRAPHS)
    pictures = len(MANNERS) * len(TRAIN_STYLE_SIZES)
    total = details + pictures + len(EVAL_PHOTOGRAPHS) + len(EVAL_STYLES)
    for place, image in tqdm(_images(), desc="Making the sample images", total=total):
        # strong compression or halved colour resolution would blur the strokes
        image.save(unfinished / f"{place}.jpg", quality=95, subsampling=0)
    unfinished.rename(folder)


def _images() -> Iterator[tuple[str, Image.Image]]:
    """Every image of the set with its folder and its name."""
    for photograph in TRAIN_PHOTOGRAPHS:
        whole = _read(photograph)
        for number, box in enumerate(((0, 0, *whole.size), *photograph.details)):
            yield f"train_content/{photograph.name}-{number}", _shrink(whole.crop(box))
    for photograph in EVAL_PHOTOGRAPHS:
        yield f"eval_content/{photograph.name}", _square(_read(photograph))
    for manner in MANNERS:
        for number, size in enumerate(TRAIN_STYLE_SIZES):
            yield f"train_style/{manner.__name__}-{number}", _paint(manner, number, size)
    for manner, number in EVAL_STYLES:
        picture = _paint(manner, number, (EVAL_SIDE, EVAL_SIDE))
        yield f"eval_style/{manner.__name__}-{number}", picture


def _paint(manner: Manner, number: int, size: tuple[int, int]) -> Image.Image:
    # the name is in the seed, so that manners do not share one composition
    rng = np.random.default_rng([SEED, number, *manner.__name__.encode()])
    return manner(rng, *size)


def _read(photograph: Photograph) -> Image.Image:
    package = find_spec(photograph.package)  # finds the folder without the slow import
    folders = package.submodule_search_locations if package else None
    path = Path(folders[0], photograph.path) if folders else None
    if path is None or not path.is_file():
        raise DatNetError(
            f"The photograph {photograph.path} of the package {photograph.package} is missing. "
            "Reinstall scikit-image, scikit-learn and matplotlib."
        )
    with Image.open(path) as image:
        return image.convert("RGB")


def _shrink(image: Image.Image) -> Image.Image:
    """The image with its shorter side at most `TRAIN_SHORT_SIDE`."""
    factor = TRAIN_SHORT_SIDE / min(image.size)
    if factor >= 1:
        return image
    width, height = (round(side * factor) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _square(image: Image.Image) -> Image.Image:
    """The middle square of the image at `EVAL_SIDE` pixels."""
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    box = (left, top, left + side, top + side)
    return image.crop(box).resize((EVAL_SIDE, EVAL_SIDE), Image.Resampling.LANCZOS)
