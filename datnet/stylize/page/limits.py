"""Limits of the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of the page.

    Attributes:
        waiting: Maximum length of the queue; further requests are told to try again.
        jobs: Number of pictures stylized at the same time.
        upload_megabytes: Maximum size of an uploaded file.
        megapixels: Maximum size of a result, in millions of pixels.
    """

    waiting: int = 16
    jobs: int = 1
    upload_megabytes: float = 20
    megapixels: float = 4
