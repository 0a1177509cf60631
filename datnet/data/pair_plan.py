"""Plan of training pairs: pair k is a pure function of (seed, k).

Images, crops and flips of a pair depend only on the seed, the number of the pair and the files. So
a resumed run continues exactly, several processes together see the same pairs as one process with
their common batch, and the number of workers changes nothing.

Each set is visited in passes: all its images once in a random order, then all once in another
order. Content and style passes have separate lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Independent random streams of one seed.
CONTENT_ORDER, STYLE_ORDER, CROPS_AND_FLIPS = 0, 1, 2


@dataclass(frozen=True)
class Crop:
    """Position of a square crop, see :func:`datnet.images.resizing.resized_crop`.

    Attributes:
        left: Position in the free width, 0 to 1.
        top: Position in the free height, 0 to 1.
        flip: Whether to mirror the square, left to right.
    """

    left: float
    top: float
    flip: bool


CENTER = Crop(left=0.5, top=0.5, flip=False)


@dataclass(frozen=True)
class PairPlan:
    """The images and crops of a pair, before any file is opened.

    Attributes:
        content: Index of the content image.
        style: Index of the style image.
        content_crop: Crop of the content image.
        style_crop: Crop of the style image.
    """

    content: int
    style: int
    content_crop: Crop
    style_crop: Crop


def plan_pair(
    seed: int, number: int, content_count: int, style_count: int, horizontal_flip: bool
) -> PairPlan:
    """Draw pair ``number`` of the endless sequence of a seed.

    Args:
        seed: Seed of the run, 0 or more.
        number: Number of the pair, from 0.
        content_count: Number of content images.
        style_count: Number of style images.
        horizontal_flip: Whether to mirror each image with probability 1/2.

    Returns:
        The images and crops of the pair.
    """
    generator = np.random.default_rng((seed, CROPS_AND_FLIPS, number))
    positions = generator.random(4).tolist()
    flips = [bool(flip) and horizontal_flip for flip in generator.integers(2, size=2)]
    return PairPlan(
        content=image_in_turn(seed, CONTENT_ORDER, number, content_count),
        style=image_in_turn(seed, STYLE_ORDER, number, style_count),
        content_crop=Crop(positions[0], positions[1], flips[0]),
        style_crop=Crop(positions[2], positions[3], flips[1]),
    )


def image_in_turn(seed: int, stream: int, number: int, image_count: int, attempt: int = 0) -> int:
    """Return the index of the image that pair ``number`` takes from a set.

    Args:
        seed: Seed of the run.
        stream: ``CONTENT_ORDER`` or ``STYLE_ORDER``.
        number: Number of the pair.
        image_count: Number of images in the set.
        attempt: Number of images already found unreadable for this pair. The index is this many
            places later in the order of the same pass, which wraps around.

    Returns:
        An index in [0, ``image_count``).
    """
    pass_number, position = divmod(number, image_count)
    order = _order_of_pass(seed, stream, pass_number, image_count)
    return int(order[(position + attempt) % image_count])


@lru_cache(maxsize=4)  # two sets, each at the boundary of two passes
def _order_of_pass(seed: int, stream: int, pass_number: int, image_count: int) -> np.ndarray:
    # uint32 halves the memory and gives the same order; every worker keeps its own orders.
    indices = np.arange(image_count, dtype=np.uint32)
    return np.random.default_rng((seed, stream, pass_number)).permutation(indices)
