"""Pairs of a content and a style image for training: pair number k is a pure function of (seed, k).

Which images meet, which squares are cut out of them and which are mirrored depends on nothing but
the seed, the number of the pair and the files. So a resumed run goes on exactly, several processes
see together what one process with their common batch sees, and the number of workers changes
nothing.

Each set is walked through in passes: all of its images once, in a random order, then all of them
once in another order. Contents and styles have passes of their own lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from datnet.data.sets import ImageSet
from datnet.data.suitable import check_size, side_to_decode
from datnet.errors import DatNetError
from datnet.images.reading import UnreadableImageError, resized_crop, to_tensor

MOST_ATTEMPTS = 50
"""After this many unreadable files in a row the run stops."""

# Independent random streams of one seed.
CONTENT_ORDER, STYLE_ORDER, CROPS_AND_FLIPS = 0, 1, 2


@dataclass(frozen=True)
class Crop:
    """Where a square is cut out of an image (see :func:`datnet.images.reading.resized_crop`).

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


# ----------------------------------------------------------------------------------- reading


class Pair(NamedTuple):
    """One content and one style image.

    Attributes:
        content: ``(3, S, S)`` in [0, 1].
        style: ``(3, S, S)`` in [0, 1].
        content_path: File of the content image, or its address.
        style_path: File of the style image, likewise.
        skipped: Path and reason of each file that should have been used but is unreadable.
    """

    content: Tensor
    style: Tensor
    content_path: str
    style_path: str
    skipped: list[tuple[str, str]]


class Batch(NamedTuple):
    """The pairs of one training step; see :class:`Pair`.

    Attributes:
        content: ``(B, 3, S, S)`` in [0, 1].
        style: ``(B, 3, S, S)`` in [0, 1].
        content_path: B files.
        style_path: B files.
        skipped: Path and reason of each unreadable file of all pairs.
    """

    content: Tensor
    style: Tensor
    content_path: list[str]
    style_path: list[str]
    skipped: list[tuple[str, str]]


def collate(pairs: list[Pair]) -> Batch:
    """Stack pairs to a batch."""
    return Batch(
        content=torch.stack([pair.content for pair in pairs]),
        style=torch.stack([pair.style for pair in pairs]),
        content_path=[pair.content_path for pair in pairs],
        style_path=[pair.style_path for pair in pairs],
        skipped=[file for pair in pairs for file in pair.skipped],
    )


@dataclass(frozen=True)
class LateCrops:
    """Larger crops for the last part of a training.

    Attributes:
        from_pair: Number of the first pair that has them.
        short_side: As in :class:`PairDataset`.
        crop_size: As in :class:`PairDataset`.
    """

    from_pair: int
    short_side: int | None
    crop_size: int


class PairDataset(Dataset[Pair]):
    """The endless sequence of training pairs: ``dataset[k]`` is pair number k.

    It has no length; :class:`PairSampler` chooses the numbers.

    Args:
        contents: The content images.
        styles: The style images.
        short_side: The shorter side that images are resized to before the crop, in pixels, or
            ``None`` to leave them as they are.
        crop_size: Side S of the square crops, in pixels.
        horizontal_flip: Whether each image is mirrored with probability 1/2.
        seed: Seed of the sequence, 0 or more.
        late_crops: What the pairs behind a certain number have instead, if anything.
    """

    def __init__(
        self,
        contents: ImageSet,
        styles: ImageSet,
        *,
        short_side: int | None,
        crop_size: int,
        horizontal_flip: bool,
        seed: int,
        late_crops: LateCrops | None = None,
    ) -> None:
        self.contents = contents
        self.styles = styles
        self.short_side = short_side
        self.crop_size = crop_size
        self.horizontal_flip = horizontal_flip
        self.seed = seed
        self.late_crops = late_crops

    def __getitem__(self, number: int) -> Pair:
        """Read pair ``number``.

        Raises:
            DatNetError: If all files that could take a place in the pair are unreadable.
        """
        plan = plan_pair(
            self.seed,
            number,
            len(self.contents),
            len(self.styles),
            self.horizontal_flip,
        )
        late = self.late_crops
        squares = late if late is not None and number >= late.from_pair else self
        skipped: list[tuple[str, str]] = []
        content_path, content = _first_readable(
            self.contents,
            self._images_in_turn(CONTENT_ORDER, number, len(self.contents)),
            plan.content_crop,
            squares.short_side,
            squares.crop_size,
            skipped,
        )
        style_path, style = _first_readable(
            self.styles,
            self._images_in_turn(STYLE_ORDER, number, len(self.styles)),
            plan.style_crop,
            squares.short_side,
            squares.crop_size,
            skipped,
        )
        return Pair(content, style, content_path, style_path, skipped)

    def _images_in_turn(self, stream: int, number: int, image_count: int) -> Iterator[int]:
        for attempt in range(min(image_count, MOST_ATTEMPTS)):
            yield image_in_turn(self.seed, stream, number, image_count, attempt)


class FixedPairs(Dataset[Pair]):
    """The same few pairs each time, centre crops, for validation.

    Pair i of n takes the image at i/n of each sorted list. An unreadable file is replaced by the
    next one of the list.

    Args:
        contents: The content images.
        styles: The style images.
        pair_count: Number of pairs.
        short_side: As in :class:`PairDataset`.
        crop_size: As in :class:`PairDataset`.
    """

    def __init__(
        self,
        contents: ImageSet,
        styles: ImageSet,
        *,
        pair_count: int,
        short_side: int | None,
        crop_size: int,
    ) -> None:
        self.contents = contents
        self.styles = styles
        self.pair_count = pair_count
        self.short_side = short_side
        self.crop_size = crop_size

    def __len__(self) -> int:
        return self.pair_count

    def __getitem__(self, number: int) -> Pair:
        """Read pair ``number``.

        Raises:
            DatNetError: If all files that could take a place in the pair are unreadable.
        """
        skipped: list[tuple[str, str]] = []
        options = (CENTER, self.short_side, self.crop_size, skipped)
        contents, styles = (
            self._images_from(number, len(images)) for images in (self.contents, self.styles)
        )
        content_path, content = _first_readable(self.contents, contents, *options)
        style_path, style = _first_readable(self.styles, styles, *options)
        return Pair(content, style, content_path, style_path, skipped)

    def _images_from(self, number: int, image_count: int) -> Iterator[int]:
        first = number * image_count // self.pair_count
        for attempt in range(min(image_count, MOST_ATTEMPTS)):
            yield (first + attempt) % image_count


def _first_readable(
    images: ImageSet,
    indices: Iterable[int],
    crop: Crop,
    short_side: int | None,
    crop_size: int,
    skipped: list[tuple[str, str]],
) -> tuple[str, Tensor]:
    problems = []
    for index in indices:
        name = images.name(index)
        try:
            image = images.read(index, side_to_decode(short_side))
            check_size(name, image)
        except UnreadableImageError as error:
            problems.append(error)
            continue
        skipped.extend((problem.name, problem.reason) for problem in problems)
        square = resized_crop(
            image,
            short_side=short_side,
            crop_size=crop_size,
            left=crop.left,
            top=crop.top,
            flip=crop.flip,
        )
        return name, to_tensor(square)
    raise DatNetError(
        f"{len(problems)} image files in a row cannot be used; the last one is {problems[-1]}."
        " Look at the folder of this file, or name another one."
    )


# ---------------------------------------------------------------------------------- sampling


class PairSampler(Sampler[int]):
    """Numbers of the pairs that one process trains on, for ever.

    Batch t of all W processes together holds the pairs t·W·B to (t+1)·W·B - 1, in which each
    process has B neighbours. It has no length.

    Args:
        batch_size: Pairs per process and batch, B.
        rank: Number of this process, from 0.
        world_size: Number of processes, W.
        first_batch: Returns the batch t to start with. It is asked at each new iteration, because
            Lightning begins one for each of its epochs and an epoch must not repeat the last one.
    """

    def __init__(
        self, *, batch_size: int, rank: int, world_size: int, first_batch: Callable[[], int]
    ) -> None:
        self.batch_size = batch_size
        self.rank = rank
        self.world_size = world_size
        self.first_batch = first_batch

    def __iter__(self) -> Iterator[int]:
        for batch in count(self.first_batch()):
            first = (batch * self.world_size + self.rank) * self.batch_size
            yield from range(first, first + self.batch_size)
