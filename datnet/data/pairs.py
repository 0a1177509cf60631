"""Training pairs of a content and a style image, read from two sets as planned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from datnet.data.pair_plan import CENTER, CONTENT_ORDER, STYLE_ORDER, Crop, image_in_turn, plan_pair
from datnet.data.sets import ImageSet
from datnet.data.suitable import check_size, side_to_decode
from datnet.errors import DatNetError
from datnet.images.errors import UnreadableImageError
from datnet.images.resizing import resized_crop
from datnet.images.tensors import to_tensor

MOST_ATTEMPTS = 50
"""After this many unreadable files in a row the run stops."""


class Pair(NamedTuple):
    """One content and one style image.

    Attributes:
        content: ``(3, S, S)`` in [0, 1].
        style: ``(3, S, S)`` in [0, 1].
        content_path: Path or address of the content image.
        style_path: Path or address of the style image.
        skipped: Path and reason of each unreadable file that was replaced.
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
        content_path: B paths or addresses.
        style_path: B paths or addresses.
        skipped: Path and reason of each unreadable file that was replaced, for all pairs.
    """

    content: Tensor
    style: Tensor
    content_path: list[str]
    style_path: list[str]
    skipped: list[tuple[str, str]]


def collate(pairs: list[Pair]) -> Batch:
    """Stack pairs into a batch."""
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
        from_pair: Number of the first pair with late crops.
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
            ``None`` to keep their size.
        crop_size: Side S of the square crops, in pixels.
        horizontal_flip: Whether to mirror each image with probability 1/2.
        seed: Seed of the sequence, 0 or more.
        late_crops: Crops of the pairs from a certain number on, if they differ.
        whole_styles: Whether styles are the center squares of their images, not random crops.
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
        whole_styles: bool = False,
    ) -> None:
        self.contents = contents
        self.styles = styles
        self.short_side = short_side
        self.crop_size = crop_size
        self.horizontal_flip = horizontal_flip
        self.seed = seed
        self.late_crops = late_crops
        self.whole_styles = whole_styles

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
            CENTER if self.whole_styles else plan.style_crop,
            squares.crop_size if self.whole_styles else squares.short_side,
            squares.crop_size,
            skipped,
        )
        return Pair(content, style, content_path, style_path, skipped)

    def _images_in_turn(self, stream: int, number: int, image_count: int) -> Iterator[int]:
        for attempt in range(min(image_count, MOST_ATTEMPTS)):
            yield image_in_turn(self.seed, stream, number, image_count, attempt)


class FixedPairs(Dataset[Pair]):
    """A fixed set of center-cropped pairs for validation.

    Pair i of n takes the image at i/n of each sorted list. An unreadable file is replaced by the
    next one in the list.

    Args:
        contents: The content images.
        styles: The style images.
        pair_count: Number of pairs.
        short_side: As in :class:`PairDataset`.
        crop_size: As in :class:`PairDataset`.
        whole_styles: As in :class:`PairDataset`.
    """

    def __init__(
        self,
        contents: ImageSet,
        styles: ImageSet,
        *,
        pair_count: int,
        short_side: int | None,
        crop_size: int,
        whole_styles: bool = False,
    ) -> None:
        self.contents = contents
        self.styles = styles
        self.pair_count = pair_count
        self.short_side = short_side
        self.crop_size = crop_size
        self.whole_styles = whole_styles

    def __len__(self) -> int:
        return self.pair_count

    def __getitem__(self, number: int) -> Pair:
        """Read pair ``number``.

        Raises:
            DatNetError: If all files that could take a place in the pair are unreadable.
        """
        skipped: list[tuple[str, str]] = []
        style_side = self.crop_size if self.whole_styles else self.short_side
        contents, styles = (
            self._images_from(number, len(images)) for images in (self.contents, self.styles)
        )
        content_path, content = _first_readable(
            self.contents, contents, CENTER, self.short_side, self.crop_size, skipped
        )
        style_path, style = _first_readable(
            self.styles, styles, CENTER, style_side, self.crop_size, skipped
        )
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
    """Endless sequence of the pair numbers that one process trains on.

    Batch t of all W processes together holds pairs t·W·B to (t+1)·W·B - 1, of which each process
    has B consecutive ones. The sampler has no length.

    Args:
        batch_size: Pairs per process and batch, B.
        rank: Number of this process, from 0.
        world_size: Number of processes, W.
        first_batch: Returns the batch t to start with. It is called for each new iteration, because
            Lightning starts one per epoch, and an epoch must not repeat the previous one.
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
