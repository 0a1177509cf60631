"""Trains the missing networks of a comparison and evaluates all on the same pairs.

Each scale has one folder, so that tables and figures share trainings and results::

    runs/SCALE/MODEL/seed_N/   the trainings
    runs/SCALE/evaluation_*/   a folder per network and control, with its images
    runs/SCALE/table1.md, figure5.png, …
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from datnet.devices import choose_device
from datnet.evaluation.differences import PairValues, estimates_of, mean_pair_values
from datnet.evaluation.evaluate import evaluate_networks, results_folder
from datnet.evaluation.pairs import Pair, image_names
from datnet.evaluation.summary import Estimate, EvaluationSummary, GrowingTable
from datnet.images.files import check_writable
from datnet.images.reading import read_image
from datnet.images.resizing import fit_square
from experiments.networks import find_networks, titled
from experiments.plan import ComparisonPlan


@dataclass(frozen=True)
class Comparison:
    """Networks measured on the same pairs.

    Attributes:
        plan: The plan.
        networks: Files of the networks by model, one per seed.
        summaries: Summaries of the controls, then of the networks, in the order of the table.
    """

    plan: ComparisonPlan
    networks: dict[str, list[Path]]
    summaries: list[EvaluationSummary]

    def evaluations(self, model: str) -> list[Path]:
        """Return the folders of a model's evaluations, one per seed."""
        return [
            results_folder(self.plan.evaluation_folder, title, path)
            for title, path in titled(self.networks).items()
            if path in self.networks[model]
        ]

    def pair_values(self, model: str) -> PairValues:
        """Return a model's metrics for each pair, averaged over its seeds."""
        return mean_pair_values(self.evaluations(model))

    def estimates(self, model: str) -> dict[str, Estimate]:
        """Return a model's metrics, averaged over its seeds."""
        return estimates_of(self.pair_values(model))

    def result(self, model: str, pair: Pair) -> Image.Image:
        """Read the result of a model's first seed for a pair.

        Args:
            model: Name of the model.
            pair: Content and style files, one of the plan's pairs.

        Returns:
            The result in RGB.
        """
        name = image_names(self.plan.pairs)[self.plan.pairs.index(pair)]
        with Image.open(self.evaluations(model)[0] / "images" / name) as image:
            return image.convert("RGB")

    def picture(self, path: Path) -> Image.Image:
        """Return a content or style image as the networks get it."""
        return fit_square(read_image(path), self.plan.size)

    def rows(self, count: int) -> list[Pair]:
        """Return pairs for the rows of a figure: content i with style i, to show many styles."""
        contents = list(dict.fromkeys(content for content, _ in self.plan.pairs))[:count]
        styles = list(dict.fromkeys(style for _, style in self.plan.pairs))
        chosen = [(content, styles[i % len(styles)]) for i, content in enumerate(contents)]
        return [pair for pair in chosen if pair in self.plan.pairs]


def compare(plan: ComparisonPlan) -> Comparison:
    """Train the missing networks and evaluate those without an evaluation; print each row at once.

    Returns:
        The comparison; at scale pretrained, of those of the plan's models that are available.

    Raises:
        DatNetError: If a training fails, no network is available, or an image cannot be read.
    """
    check_writable([plan.output / "table"])
    networks = find_networks(plan)
    summaries = evaluate_networks(
        titled(networks),
        plan.pairs,
        plan.evaluation_folder,
        size=plan.size,
        save_images=True,
        device=choose_device(),
        jobs=plan.jobs,
        on_row=GrowingTable(),
    )
    return Comparison(plan, networks, summaries)
