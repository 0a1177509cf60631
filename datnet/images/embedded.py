"""The embedded sample set: photographs and computer-made paintings that come with the package.

The set is for trying things out and for tests; it is far too small for publishable results.
Content images are freely usable photographs, cropped and downscaled. Style images are made by a
program (``experiments/painter``). README.md beside them gives their sources.
``python -m experiments.embedded_pictures`` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datnet.errors import DatNetError

FOLDER = Path(__file__).parent / "sample_pictures"
VERSION = 2
"""Incremented with every change of the pictures; version 1 was made on the user's machine."""


@dataclass(frozen=True)
class SampleImages:
    """The folders of a sample set, which hold only image files."""

    train_content: Path
    train_style: Path
    eval_content: Path
    eval_style: Path


def sample_images() -> SampleImages:
    """Return the folders of the embedded set in the installed package; nothing is written.

    Returns:
        The four folders. Training and evaluation share no photograph, and their paintings come
        from different seeds.

    Raises:
        DatNetError: If the installation lacks them.
    """
    images = SampleImages(*(FOLDER / name for name in SampleImages.__dataclass_fields__))
    for folder in vars(images).values():
        if not folder.is_dir():
            raise DatNetError(f"{folder}: the embedded pictures are missing. Reinstall datnet")
    return images
