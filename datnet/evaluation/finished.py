"""Finished evaluations on disk, with the picture files they were measured on."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datnet.errors import DatNetError
from datnet.evaluation.pairs import Pair, image_names, read_pairs

NETWORK_FILE = "network.json"
"""What an evaluation's folder says about its network."""


@dataclass(frozen=True)
class FinishedEvaluation:
    """The folder of an evaluation that `datnet evaluate` wrote.

    Attributes:
        folder: The folder.
        settings: The content of its protocol.json.
    """

    folder: Path
    settings: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Title of its row in tables."""
        return str(self.settings["description"])

    @property
    def size(self) -> int:
        """Side of the squares in pixels."""
        return int(self.settings["size"])

    @property
    def network(self) -> dict[str, Any]:
        """The header of the network's file with its name and SHA-256; empty for others.

        Others are controls, results of other programs, and evaluations of before it was written.

        Raises:
            DatNetError: If network.json is damaged.
        """
        path = self.folder / NETWORK_FILE
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError) as error:
            raise DatNetError(f"{path} cannot be read: {error}") from error

    def result_files(self, pairs: Sequence[Pair]) -> list[Path]:
        """Return the files of the stylized images, one per pair.

        Raises:
            DatNetError: If one is missing.
        """
        files = [self.folder / "images" / name for name in image_names(pairs)]
        missing = [path for path in files if not path.is_file()]
        if missing:
            raise DatNetError(
                f"{missing[0]} does not exist: evaluate again with --save-images, which keeps the "
                "values that are there"
            )
        return files


def open_evaluation(folder: Path) -> FinishedEvaluation:
    """Open the folder of an evaluation.

    Raises:
        DatNetError: If it is none.
    """
    path = folder / "protocol.json"
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        description, size = settings["description"], settings["size"]
        digests = {**settings["contents"], **settings["styles"]}
    except FileNotFoundError as error:
        raise DatNetError(
            f"{folder} is not an evaluation: name a folder that `datnet evaluate` wrote, such as "
            "evaluations/datnet_full-1234abcd"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatNetError(f"{path} cannot be read: {error}") from error
    if not (isinstance(description, str) and isinstance(size, int) and digests):
        raise DatNetError(f"{path} lacks a description, a size or pictures")
    return FinishedEvaluation(folder, settings)


def pairs_of(evaluations: Sequence[FinishedEvaluation], contents: Path, styles: Path) -> list[Pair]:
    """Find the picture files of evaluations that were measured on the same pictures.

    Args:
        evaluations: At least one.
        contents: Folder of the content images.
        styles: Folder of the style images.

    Returns:
        The pairs, in the order of the evaluations' pairs.csv.

    Raises:
        DatNetError: If the evaluations are of different pictures or sizes, or the folders hold
            other pictures than they were measured on.
    """
    first = evaluations[0]
    pairs_text = _read(first.folder / "pairs.csv")
    for other in evaluations[1:]:
        same = all(first.settings[key] == other.settings[key] for key in ("contents", "styles"))
        if not same or first.size != other.size or _read(other.folder / "pairs.csv") != pairs_text:
            raise DatNetError(
                f"{first.folder} and {other.folder} are of different pictures or sizes: evaluate "
                "both on the same pictures"
            )
    pairs = read_pairs(first.folder / "pairs.csv", contents, styles)
    rows = csv.DictReader(pairs_text.splitlines())
    expected: dict[Path, str] = {}
    for (content, style), row in zip(pairs, rows, strict=True):
        expected[content] = first.settings["contents"][row["content"]]
        expected[style] = first.settings["styles"][row["style"]]
    for path, digest in expected.items():
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise DatNetError(
                f"{path} is not the picture that {first.folder} was measured on: its SHA-256 is "
                "another. Give the folders of that evaluation with --content and --style"
            )
    return pairs


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatNetError(f"{path} cannot be read: {error}") from error
