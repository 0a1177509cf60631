"""Results of another program, measured like those of a network.

DatNet resizes and crops photographs to squares. Of a result with the photograph's aspect ratio the
same part is measured. A result with another aspect ratio shows either the middle of the photograph
or all of it, squeezed. Its size does not tell which, so one is assumed and noted, and the user can
choose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.evaluation.pairs import Pair, image_names
from datnet.images.reading import read_image
from datnet.images.resizing import fit_square
from datnet.images.tensors import to_tensor

Fit = Literal["crop", "squeeze"]

ROUNDING = 16
"""Pixels by which a side may be off because a program rounds sizes to multiples of 8 or 16. For
small images, at most 1/16 of the longer side."""

LEVELS_OF_A_BORDER = 6
"""Range of values, of 255, that JPEG compression gives a border of one color."""


@dataclass(frozen=True)
class SavedResults:
    """The results for all pairs.

    Attributes:
        files: Files by pair.
        fit: What a result shows whose aspect ratio differs from its photograph's: ``"crop"`` the
            middle of the photograph, ``"squeeze"`` all of it, distorted.
        notes: Assumptions and anomalies, one sentence each.
    """

    files: Mapping[Pair, Path]
    fit: Fit = "crop"
    notes: tuple[str, ...] = ()

    def read(self, pair: Pair, size: int) -> Tensor:
        """Read the result for a pair, resized and cropped like its photograph.

        A squeezed one is stretched back to the photograph's aspect ratio.

        Args:
            pair: Content and style files.
            size: Side of the square in pixels.

        Returns:
            RGB in [0, 1], ``(1, 3, size, size)``.

        Raises:
            UnreadableImageError: If the result or its photograph cannot be read.
        """
        image = read_image(self.files[pair])
        if self.fit == "squeeze":
            width, height = read_image(pair[0]).size
            scale = size / min(width, height)
            whole = (round(width * scale), round(height * scale))
            if image.size != whole:
                image = image.resize(whole, Image.Resampling.BILINEAR)
        return to_tensor(fit_square(image, size))[None]


def find_results(
    pattern: str, pairs: Sequence[Pair], size: int, fit: Fit | None = None
) -> SavedResults:
    """Find the results of another program for all pairs.

    Args:
        pattern: A file name with ``{content}`` and ``{style}``, which are replaced by the names of
            the pair's files without suffix; or a folder with files ``CONTENT__STYLE.png``, as
            written by `datnet evaluate --save-images`.
        pairs: Content and style files.
        size: Side in pixels of the squares that are measured.
        fit: See :class:`SavedResults`; None assumes ``"crop"`` and adds a note if it matters.

    Returns:
        The results, with notes.

    Raises:
        DatNetError: If the pattern does not have exactly these two fields; if a result is missing,
            cannot be read, is smaller than ``size`` or belongs to two pairs; or if it is rotated
            and ``fit`` is None.
    """
    results = dict(zip(pairs, _file_names(pattern, pairs), strict=True))
    missing = [path for path in results.values() if not path.is_file()]
    if missing:
        raise DatNetError(
            f"{len(missing)} of the results of {len(pairs)} pairs are missing: there is no "
            f"{missing[0]}"
        )
    if len(set(results.values())) < len(pairs):
        raise DatNetError(
            f"{pattern}: two pairs have the same result, because names of their pictures differ "
            "only in folder or suffix; rename these pictures"
        )
    contents = dict.fromkeys(content for content, _ in pairs)
    photographs = {content: read_image(content).size for content in contents}
    other_aspect: list[tuple[Path, tuple[int, int], tuple[int, int]]] = []
    maybe_bordered: list[tuple[Path, Path]] = []
    for (content, _), path in tqdm(results.items(), "checking results", leave=False):
        image = read_image(path)
        _check_size(path, image.size, size)
        if not _same_aspect(image.size, photographs[content]):
            other_aspect.append((path, image.size, photographs[content]))
        if _has_border(image):
            maybe_bordered.append((path, content))
    if fit is None:
        for path, image_size, photograph in other_aspect:
            _refuse_turned(path, image_size, photograph)
    notes = []
    if other_aspect:
        notes.append(_note_of_aspect(len(results), other_aspect, fit))
    # If the photograph also has the border, it is part of the content.
    bordered = [path for path, content in maybe_bordered if not _has_border(read_image(content))]
    if bordered:
        notes.append(
            f"{len(bordered)} of {len(results)} results, such as {bordered[0].name}, have a border "
            "of one color that their photographs lack; it is measured as part of the picture."
        )
    return SavedResults(results, fit or "crop", tuple(notes))


def _file_names(pattern: str, pairs: Sequence[Pair]) -> list[Path]:
    if "{" not in pattern:
        return [Path(pattern) / name for name in image_names(pairs)]
    if set(re.findall(r"\{([^{}]*)\}", pattern)) != {"content", "style"}:
        raise DatNetError(
            f"{pattern}: a pattern of results has {{content}} and {{style}}, the names of the "
            "pictures without suffix, and nothing else in braces"
        )
    return [
        Path(pattern.replace("{content}", content.stem).replace("{style}", style.stem))
        for content, style in pairs
    ]


def _check_size(path: Path, image_size: tuple[int, int], size: int) -> None:
    width, height = image_size
    if min(width, height) < size:
        raise DatNetError(
            f"{path} is {width} × {height}, smaller than the {size} × {size} that is "
            f"measured: stylize larger pictures, or measure with --size {min(width, height)}"
        )


def _same_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have the same aspect ratio, up to rounding."""
    (width, height), (other_width, other_height) = size, other
    allowed = min(ROUNDING, max(size) / 16)
    return (
        abs(width - height * other_width / other_height) <= allowed
        or abs(height - width * other_height / other_width) <= allowed
    )


def _refuse_turned(path: Path, size: tuple[int, int], photograph: tuple[int, int]) -> None:
    (width, height), (photograph_width, photograph_height) = size, photograph
    if _same_aspect((height, width), photograph):
        raise DatNetError(
            f"{path} is {width} × {height} and its photograph, upright, "
            f"{photograph_width} × {photograph_height}: the program seems not to have turned it "
            "upright (EXIF). Give it upright photographs; or, if it is upright, say with --fit "
            "crop or --fit squeeze what it shows of the photograph"
        )


def _has_border(image: Image.Image) -> bool:
    """Whether two opposite edges have one color, at least 2% of the side deep."""
    pixels = np.asarray(image)

    def is_plain(part: np.ndarray) -> bool:
        return bool((np.ptp(part.reshape(-1, 3).astype(int), axis=0) <= LEVELS_OF_A_BORDER).all())

    for turned in (pixels, pixels.transpose(1, 0, 2)):
        depth = max(2, len(turned) // 50)
        if is_plain(np.concatenate([turned[:depth], turned[-depth:]])) and not is_plain(turned):
            return True
    return False


def _note_of_aspect(
    count: int,
    other_aspect: Sequence[tuple[Path, tuple[int, int], tuple[int, int]]],
    fit: Fit | None,
) -> str:
    path, (width, height), (photograph_width, photograph_height) = other_aspect[0]
    begin = (
        f"{len(other_aspect)} of {count} results have another aspect than their photographs, such "
        f"as {path.name}: {width} × {height} of {photograph_width} × {photograph_height}."
    )
    taken = {
        "crop": "taken for the middle of the photograph, undistorted",
        "squeeze": "taken for the whole photograph, squeezed, and stretched back to its aspect",
    }
    if fit is not None:
        return f"{begin} They are {taken[fit]} (--fit {fit})."
    return (
        f"{begin} They are {taken['crop']}, which is an assumption; if the program squeezed the "
        "photographs, measure with --fit squeeze."
    )
