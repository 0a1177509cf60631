"""The questions of a study, and the static page that asks them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import combinations
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.evaluation.pairs import Pair, short_names
from datnet.evaluation.saved_results import SavedResults
from datnet.images.files import write_text
from datnet.images.saving import save_image
from datnet.images.tensors import read_square, to_image

FORMAT = "datnet-vote-1"
"""Name of the format of the answers, in every file of answers."""

QUESTIONS = {
    "style": "Which result looks more like the style of the painting?",
    "content": "Which result keeps what the photograph shows better?",
    "overall": "Which result do you prefer overall?",
}

PLACEHOLDER = "/* STUDY */"


@dataclass(frozen=True)
class Comparison:
    """Two results for one photograph and one painting.

    Attributes:
        pair: Index of the pair of pictures.
        first: Name of the first network.
        second: Name of the second network. Which of the two is on the left differs by rater.
    """

    pair: int
    first: str
    second: str


def choose_comparisons(
    networks: Sequence[str], pairs: int, count: int, seed: int
) -> list[Comparison]:
    """Choose what to ask: each two networks equally often, on pictures that repeat late.

    Args:
        networks: Names, at least two.
        pairs: Number of pairs of pictures.
        count: Maximum number of comparisons.
        seed: The same seed gives the same comparisons.

    Returns:
        The comparisons, in random order.

    Raises:
        DatNetError: If there are fewer than two networks.
    """
    if len(networks) < 2:
        raise DatNetError("a vote needs the results of at least two networks")
    generator = random.Random(seed)
    rivals = list(combinations(networks, 2))
    generator.shuffle(rivals)
    orders = {rival: generator.sample(range(pairs), pairs) for rival in rivals}
    chosen = [
        Comparison(orders[rival][turn], *generator.sample(rival, 2))
        for turn in range(pairs)
        for rival in rivals
    ][:count]
    generator.shuffle(chosen)
    return chosen


def write_study(
    results: Mapping[str, SavedResults],
    pairs: Sequence[Pair],
    folder: Path,
    *,
    size: int,
    count: int,
    seed: int,
) -> int:
    """Write a page and its pictures, which need no server.

    Args:
        results: The networks' results for all pairs, by name.
        pairs: Content and style files.
        folder: Output folder: index.html, images/ and study.json, which lists the comparisons.
        size: Side of the pictures in pixels.
        count: Number of comparisons for each rater.
        seed: Of the choice of comparisons; with the rater's name also of their order and sides.

    Returns:
        The number of comparisons.

    Raises:
        DatNetError: If there are fewer than two networks or a picture cannot be read.
    """
    comparisons = choose_comparisons(list(results), len(pairs), count, seed)
    pictures = _Pictures(folder)
    trials = []
    for comparison in tqdm(comparisons, "pictures", leave=False):
        content, style = pair = pairs[comparison.pair]
        trials.append(
            {
                **asdict(comparison),
                "content_image": pictures.add(to_image(read_square(content, size)[0])),
                "style_image": pictures.add(to_image(read_square(style, size)[0])),
                "first_image": pictures.add(_result(results[comparison.first], pair, size)),
                "second_image": pictures.add(_result(results[comparison.second], pair, size)),
            }
        )
    study = {
        "format": FORMAT,
        "seed": seed,
        "questions": QUESTIONS,
        "networks": list(results),
        "pictures": short_names(pairs),
        "trials": trials,
    }
    digest = hashlib.sha256(json.dumps(study, sort_keys=True).encode()).hexdigest()
    study = {"id": digest[:12], **study}
    text = json.dumps(study, indent=1, ensure_ascii=False)
    page = files("datnet.evaluation.vote").joinpath("page.html").read_text(encoding="utf-8")
    write_text(folder / "study.json", text + "\n")
    # "</script>" in a name must not end the script.
    write_text(folder / "index.html", page.replace(PLACEHOLDER, text.replace("</", "<\\/")))
    return len(trials)


def _result(results: SavedResults, pair: Pair, size: int) -> Image.Image:
    return to_image(results.read(pair, size)[0])


class _Pictures:
    """Writes pictures under names that tell nothing about their networks, each picture once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, image: Image.Image) -> str:
        """Write a picture and return its path within the folder."""
        digest = hashlib.sha256(image.tobytes()).hexdigest()[:16]
        name = f"images/{digest}.jpg"
        if not (self.folder / name).exists():
            save_image(image, self.folder / name, subsampling=0)
        return name
