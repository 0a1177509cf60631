"""The embedded sample set: photographs and painted pictures that come with the package.

The set is for trying things out and for tests: it is far too small for results that could be
published. Content images are photographs that anyone may use, cut and reduced; style images are
painted by a program (``experiments/painter``). Where each comes from stands in README.md beside
them. ``python -m experiments.embedded_pictures`` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datnet.errors import DatNetError

FOLDER = Path(__file__).parent / "sample_pictures"
VERSION = 2
"""One more for every change of the pictures; version 1 was painted on the user's machine."""


@dataclass(frozen=True)
class SampleImages:
    """The folders of a sample set; each holds image files and nothing else."""

    train_content: Path
    train_style: Path
    eval_content: Path
    eval_style: Path


def sample_images() -> SampleImages:
    """The embedded set, where the package is installed; nothing is written.

    Returns:
        The four folders. No photograph is both in training and evaluation, and the pictures of
        the evaluation come from seeds of their own.

    Raises:
        DatNetError: If the installation lacks them.
    """
    images = SampleImages(*(FOLDER / name for name in SampleImages.__dataclass_fields__))
    for folder in vars(images).values():
        if not folder.is_dir():
            raise DatNetError(f"{folder}: the embedded pictures are missing. Reinstall datnet")
    return images
