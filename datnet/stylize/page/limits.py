"""What the page accepts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the page accepts.

    Attributes:
        waiting: How many may wait for their turn; others are told to try again.
        jobs: How many pictures are painted at once.
        upload_megabytes: Size of an uploaded file.
        megapixels: Size of a result.
    """

    waiting: int = 16
    jobs: int = 1
    upload_megabytes: float = 20
    megapixels: float = 4
