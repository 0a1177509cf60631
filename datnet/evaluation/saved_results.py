"""Pictures that another program has painted, so that they are measured like a network's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.evaluation.protocol import Pair, image_names
from datnet.images.reading import read_image


def find_results(pattern: str, pairs: Sequence[Pair], size: int) -> dict[Pair, Path]:
    """The painted picture of every pair.

    Args:
        pattern: A file name with ``{content}`` and ``{style}``, which stand for the names of the
            pair's files without suffix; or a folder whose pictures are called like those that
            `datnet evaluate --save-images` keeps, ``CONTENT__STYLE.png``.
        pairs: Content and style files.
        size: Side of the square at which is measured.

    Raises:
        DatNetError: If the pattern has other fields or not both, or a picture is missing, cannot be
            read, is smaller than ``size``, or stands for two pairs.
    """
    if "{" not in pattern:
        names = [str(Path(pattern) / name) for name in image_names(pairs)]
    else:
        fields = set(re.findall(r"\{([^{}]*)\}", pattern))
        if fields != {"content", "style"}:
            raise DatNetError(
                f"{pattern}: a pattern of results has {{content}} and {{style}}, the names of the "
                "pictures without suffix, and nothing else in braces"
            )
        names = [
            pattern.replace("{content}", content.stem).replace("{style}", style.stem)
            for content, style in pairs
        ]
    results = dict(zip(pairs, map(Path, names), strict=True))
    missing = [path for path in results.values() if not path.is_file()]
    if missing:
        raise DatNetError(
            f"{len(missing)} of the results of {len(pairs)} pairs are missing: there is no "
            f"{missing[0]}"
        )
    if len(set(results.values())) < len(pairs):
        raise DatNetError(
            f"{pattern}: two pairs have the same result, because names of their pictures differ "
            "in folder or suffix alone; rename these pictures"
        )
    for path in tqdm(results.values(), "checking results", leave=False):
        width, height = read_image(path).size
        if min(width, height) < size:
            raise DatNetError(
                f"{path} is {width} × {height}, smaller than the {size} × {size} at which is "
                f"measured: paint larger pictures, or measure with --size {min(width, height)}"
            )
    return results
