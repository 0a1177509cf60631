"""Rankings and agreement from the answers of a study."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datnet.evaluation.markdown import aligned
from datnet.evaluation.vote.agreement import krippendorff_alpha
from datnet.evaluation.vote.answers import Answer
from datnet.evaluation.vote.bradley_terry import interval, preference, strengths
from datnet.evaluation.vote.study import QUESTIONS

DRAWS = 1000
SEED = 0

EXPLANATION = """\
Strengths are Bradley–Terry's, in logits with mean 0: a network that is stronger by 1 is preferred
in 73 % of the comparisons, by 2 in 88 %. "No difference" is half a win for both. In brackets are
95 % bootstrap intervals over raters and comparisons; with few raters they are too narrow. Raters'
agreement is Krippendorff's alpha: 1 is full, 0 is that of chance."""


@dataclass(frozen=True)
class Ranking:
    """The answers to one question.

    Attributes:
        networks: Names, the strongest first.
        strength: In logits with mean 0, by network.
        low: Lower ends of the 95% intervals.
        high: Upper ends of the 95% intervals.
        wins: How often each network was preferred.
        ties: How often a comparison with it was answered by "no difference".
        compared: How often it was compared.
        agreement: Krippendorff's alpha; NaN if no two raters saw the same comparison.
    """

    networks: list[str]
    strength: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]
    wins: Counter[str]
    ties: Counter[str]
    compared: Counter[str]
    agreement: float


def rank(networks: Sequence[str], answers: Sequence[Answer], question: str) -> Ranking:
    """Rank the networks by the answers to a question.

    Intervals resample raters and comparisons, each with replacement; an answer counts as often as
    its rater times its comparison was drawn, as in
    :func:`~datnet.evaluation.bootstrap.bootstrap_interval`.

    Args:
        networks: The networks of the study.
        answers: At least one.
        question: A key of :data:`~datnet.evaluation.vote.study.QUESTIONS`.

    Returns:
        The ranking.
    """
    index = {name: position for position, name in enumerate(networks)}
    count = len(networks)
    tables = np.zeros((len(answers), count, count))
    wins, ties, compared = Counter[str](), Counter[str](), Counter[str]()
    units = defaultdict(list)
    for table, answer in zip(tables, answers, strict=True):
        preferred = answer.preferred(question)
        left, right = index[answer.left], index[answer.right]
        table[left, right] = {answer.left: 1.0, None: 0.5}.get(preferred, 0.0)
        table[right, left] = 1 - table[left, right]
        compared.update([answer.left, answer.right])
        if preferred is None:
            ties.update([answer.left, answer.right])
        else:
            wins.update([preferred])
        units[answer.trial].append(preferred)
    estimate = strengths(tables.sum(0))
    generator = np.random.default_rng(SEED)
    weight = _draws([answer.rater for answer in answers], generator)
    weight = weight * _draws([answer.trial for answer in answers], generator)
    low, high = interval(strengths(np.einsum("da,aij->dij", weight, tables)))

    def by_name(values: np.ndarray) -> dict[str, float]:
        return dict(zip(networks, values.tolist(), strict=True))

    strength = by_name(estimate)
    return Ranking(
        networks=sorted(networks, key=lambda name: -strength[name]),
        strength=strength,
        low=by_name(low),
        high=by_name(high),
        wins=wins,
        ties=ties,
        compared=compared,
        agreement=krippendorff_alpha(units.values()),
    )


def _draws(labels: Sequence[object], generator: np.random.Generator) -> np.ndarray:
    """How often the label of each answer was drawn, ``(draws, answers)``; one label always is."""
    positions = {label: position for position, label in enumerate(dict.fromkeys(labels))}
    count = len(positions)
    counts = generator.multinomial(count, np.full(count, 1 / count), size=DRAWS)
    return counts[:, [positions[label] for label in labels]]


def ranking_table(ranking: Ranking) -> str:
    """Return a Markdown table with a row per network, the strongest first."""
    rows = [["", "strength [95 %]", "against the strongest", "preferred", "no difference", "of"]]
    first = ranking.networks[0]
    for name in ranking.networks:
        chance = preference(ranking.strength[name], ranking.strength[first])
        rows.append(
            [
                name,
                f"{ranking.strength[name]:z.2f} [{ranking.low[name]:z.2f}, "
                f"{ranking.high[name]:z.2f}]",
                "–" if name == first else f"{100 * chance:.0f} %",
                str(ranking.wins[name]),
                str(ranking.ties[name]),
                str(ranking.compared[name]),
            ]
        )
    return aligned(rows)


def tally_text(networks: Sequence[str], answers: Sequence[Answer]) -> str:
    """Return the rankings of all questions with agreement and a check of sides, as Markdown."""
    raters = len({answer.rater for answer in answers})
    parts = [f"{len(answers)} answers by {raters} {'rater' if raters == 1 else 'raters'}."]
    for question, words in QUESTIONS.items():
        ranking = rank(networks, answers, question)
        parts += [f"## {question}", words, ranking_table(ranking), _of_agreement(ranking)]
    sides = Counter(side for answer in answers for side in answer.choices.values())
    chosen = sides["left"] + sides["right"]
    if chosen:
        parts.append(
            f"Side: the left result was chosen in {100 * sides['left'] / chosen:.0f} % of "
            f"{chosen} choices; sides are random, so 50 % is expected."
        )
    return "\n\n".join([*parts, EXPLANATION])


def _of_agreement(ranking: Ranking) -> str:
    if math.isnan(ranking.agreement):
        return "Agreement: not defined, since no comparison has different answers of two raters."
    return f"Agreement: Krippendorff's alpha is {ranking.agreement:.2f}."
