"""Reads the answers that raters downloaded from the page of a study."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datnet.errors import DatNetError
from datnet.evaluation.vote.study import FORMAT, QUESTIONS

SIDES = ("left", "right", "tie")


@dataclass(frozen=True)
class Answer:
    """What one rater said about one comparison.

    Attributes:
        rater: Name of the rater.
        trial: Number of the comparison in the study.
        left: Network on the left.
        right: Network on the right.
        choices: "left", "right" or "tie" by question.
    """

    rater: str
    trial: int
    left: str
    right: str
    choices: dict[str, str]

    def preferred(self, question: str) -> str | None:
        """Return the network that the rater chose; None for no difference."""
        return {"left": self.left, "right": self.right, "tie": None}[self.choices[question]]


def read_answers(paths: Sequence[Path]) -> tuple[list[str], list[Answer]]:
    """Read files of answers of one study.

    Args:
        paths: Files, one per rater.

    Returns:
        The networks of the study and all answers.

    Raises:
        DatNetError: If a file is no file of answers, is of another study than the first one, or a
            rater has two files.
    """
    answers: list[Answer] = []
    study: str | None = None
    networks: list[str] = []
    seen: dict[str, Path] = {}
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError(f"its format is {content['format']}, not {FORMAT}")
            rater, found = str(content["rater"]), content["study"]
            own = [_answer(rater, entry, content["networks"]) for entry in content["answers"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise DatNetError(
                f"{path} is not a file of answers that the page of `datnet vote` wrote ({reason})"
            ) from error
        if study is None:
            study, networks = found, content["networks"]
        elif found != study:
            raise DatNetError(
                f"{path} is of another study ({found}) than {paths[0]} ({study}): tally the "
                "studies one by one"
            )
        if rater in seen:
            raise DatNetError(
                f"{seen[rater]} and {path} are both by the rater {rater}: remove one, or change "
                "the rater in one if they are two people"
            )
        seen[rater] = path
        answers += own
    if not answers:
        raise DatNetError("there are no answers to tally")
    return networks, answers


def _answer(rater: str, entry: dict[str, object], networks: list[str]) -> Answer:
    left, right = entry["left"], entry["right"]
    if left not in networks or right not in networks or left == right:
        raise ValueError(f"comparison {entry['trial']} is of networks that the study lacks")
    choices = {question: str(entry[question]) for question in QUESTIONS}
    for question, side in choices.items():
        if side not in SIDES:
            raise ValueError(f"comparison {entry['trial']}: {question} is {side!r}")
    return Answer(rater, int(str(entry["trial"])), str(left), str(right), choices)
