"""Pairs of a content and a style image for training: pair number k is a pure function of (seed, k).

Which images meet, which squares are cut out of them and which are mirrored depends on nothing but
the seed, the number of the pair and the files. So a resumed run goes on exactly, several processes
see together what one process with their common batch sees, and the number of workers changes
nothing.

Each set is walked through in passes: all of its images once, in a random order, then all of them
once in another order. Contents and styles have passes of their own lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# Independent random streams of one seed.
CONTENT_ORDER, STYLE_ORDER, CROPS_AND_FLIPS = 0, 1, 2


@dataclass(frozen=True)
class Crop:
    """Where a square is cut out of an image (see :func:`datnet.images.resizing.resized_crop`).

    Attributes:
        left: Position in the free width, 0 to 1.
        top: Position in the free height, 0 to 1.
        flip: Whether the square is mirrored, left to right.
    """

    left: float
    top: float
    flip: bool


CENTER = Crop(left=0.5, top=0.5, flip=False)


@dataclass(frozen=True)
class PairPlan:
    """What a pair is made of, before any file is opened.

    Attributes:
        content: Index of the content image.
        style: Index of the style image.
        content_crop: The square to cut out of the content image.
        style_crop: The square to cut out of the style image.
    """

    content: int
    style: int
    content_crop: Crop
    style_crop: Crop


def plan_pair(
    seed: int, number: int, content_count: int, style_count: int, horizontal_flip: bool
) -> PairPlan:
    """Draw pair ``number`` of the endless sequence that belongs to ``seed``.

    Args:
        seed: Seed of the run, 0 or more.
        number: Number of the pair, from 0.
        content_count: Number of content images.
        style_count: Number of style images.
        horizontal_flip: Whether each image is mirrored with probability 1/2.
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
    """Index of the image that pair ``number`` takes from a set.

    Args:
        seed: Seed of the run.
        stream: ``CONTENT_ORDER`` or ``STYLE_ORDER``.
        number: Number of the pair.
        image_count: Number of images in the set.
        attempt: How many images were found unreadable for this pair; the answer is that many
            places further on in the order of the same pass (from its end back to its start).
    """
    pass_number, position = divmod(number, image_count)
    order = _order_of_pass(seed, stream, pass_number, image_count)
    return int(order[(position + attempt) % image_count])


@lru_cache(maxsize=4)  # two sets, each at the border of two passes
def _order_of_pass(seed: int, stream: int, pass_number: int, image_count: int) -> np.ndarray:
    # Four bytes an image instead of eight, in the same order; every worker has its own orders.
    indices = np.arange(image_count, dtype=np.uint32)
    return np.random.default_rng((seed, stream, pass_number)).permutation(indices)
