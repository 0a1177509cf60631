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
        clip_seconds: Maximum duration of a clip in seconds; 0 refuses clips.
        folder_bytes: Total size of uploads and results from which new uploads are refused.
        kept_seconds: Time in seconds after which uploads and results are removed.
        tidying_seconds: Interval in seconds between removals.
    """

    waiting: int = 16
    jobs: int = 1
    upload_megabytes: float = 20
    megapixels: float = 4
    clip_seconds: float = 0
    folder_bytes: int = 2 * 10**9
    kept_seconds: float = 1800
    tidying_seconds: float = 60

    @property
    def upload_bytes(self) -> int:
        """Maximum size of an uploaded file, with 2**20 bytes a megabyte as in Gradio's message."""
        return int(self.upload_megabytes * 2**20)
