"""Stylize many pictures and clips; failures are reported and the rest continues."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.images.errors import UnreadableImageError, UnwritableFileError
from datnet.images.kept import FirstThatFit, bytes_of, default_limit
from datnet.images.opening import Picture, open_picture
from datnet.images.pictures import save_picture
from datnet.stylize.jobs import Job
from datnet.stylize.options import StylizeOptions
from datnet.stylize.prepared import EncodedContent, EncodedStyle
from datnet.stylize.strength import find_strength
from datnet.stylize.stylizer import Stylizer


class Batch:
    """Stylizes jobs with the same settings; shared photographs and paintings are encoded once.

    They are kept as far as they fit into memory. Beyond that, the current paintings are kept.

    Args:
        stylizer: The network.
        options: The settings.
        styles: Number of paintings that each job mixes.
        quality: Quality of lossy picture formats, 1 to 100; None for the default of the format.
        smoothing: Temporal smoothing of clips, in [0, 1).
        crf: Constant rate factor of clips; None for the default of the format.
    """

    def __init__(
        self,
        stylizer: Stylizer,
        options: StylizeOptions,
        styles: int,
        quality: int | None = None,
        smoothing: float = 0.0,
        crf: int | None = None,
    ) -> None:
        self.stylizer = stylizer
        self.options = options
        self.quality = quality
        self.smoothing = smoothing
        self.crf = crf
        limit = default_limit(stylizer.device)
        self._contents = FirstThatFit[Path, EncodedContent](
            limit, lambda each: bytes_of(each.features)
        )
        self._styles = FirstThatFit[tuple[Path, int], EncodedStyle](
            limit, lambda each: bytes_of(each.features)
        )
        # Jobs are ordered by style: those of the current one stay, even if nothing else fits.
        self.encode = lru_cache(maxsize=styles)(self._encode)
        self._uses: Counter[Path] = Counter()

    def _encode(self, painting: Path, content_side: int) -> EncodedStyle:
        return self._styles.get(
            (painting, content_side),
            lambda: self.stylizer.encode_style(
                painting, self.options.style_size, content_side=content_side
            ),
        )

    def stylize(self, job: Job, progress: bool = False) -> str:
        """Stylize one content and write the result file.

        Args:
            job: The content, its styles and the file to write.
            progress: Whether to show the progress of a clip.

        Returns:
            A one-line report.

        Raises:
            DatNetError: If a file cannot be read or written, or memory runs out.
        """
        if job.is_clip:
            from datnet.stylize.clips import stylize_video  # needs PyAV

            report = stylize_video(
                self.stylizer,
                job.content,
                list(job.styles),
                job.output,
                self.options,
                smoothing=self.smoothing,
                crf=self.crf,
                progress=progress,
            )
            return f"wrote {job.output}: {report}"
        photograph, origin = open_picture(job.content, "content", self.options.size)
        content_side = self.options.size or min(photograph.size)
        styles: list[Path | EncodedStyle] = list(job.styles)
        if self.options.keep_colors != "histogram":  # else recolored for each content
            styles = [self.encode(path, content_side) for path in job.styles]
        options, found = self.options, ""
        if options.wanted_share is not None:
            strength = find_strength(self.stylizer, photograph, styles, options)
            options, found = replace(options, alpha=strength.alpha), f": {strength}"
        content: Picture | EncodedContent = photograph
        if self._uses[job.content] > 1:
            content = self._contents.get(
                job.content,
                lambda: self.stylizer.encode_content(
                    photograph, options.size, tileable=options.tileable
                ),
            )
        result = self.stylizer.stylize(content, styles, options)
        save_picture(result, job.output, origin, self.quality)
        return f"wrote {job.output}{found}"

    def stylize_all(self, jobs: list[Job], skipped: int = 0, left_out_before: int = 0) -> int:
        """Stylize many contents; report failures at once, continue, and print a summary.

        Args:
            jobs: The jobs.
            skipped: Number of results that already existed.
            left_out_before: Number of files and folders that were left out earlier.

        Returns:
            The number of files left out, including the earlier ones.

        Raises:
            UnwritableFileError: If a file cannot be written, which ends the run.
        """
        self._uses.update(job.content for job in jobs)
        left_out: set[Path] = set()
        written = 0
        bar = tqdm(jobs, unit="image", disable=None)  # None: no bar without a terminal
        try:
            for job in bar:
                if left_out & {job.content, *job.styles}:
                    continue
                try:
                    report = self.stylize(job)
                except UnwritableFileError:
                    raise
                except DatNetError as error:
                    wrong = error.path if isinstance(error, UnreadableImageError) else job.content
                    left_out.add(wrong)
                    named = str(error) if str(wrong) in str(error) else f"{wrong}: {error}"
                    tqdm.write(f"left out {named}", file=sys.stderr)
                else:
                    written += 1
                    if job.is_clip or self.options.wanted_share is not None:
                        tqdm.write(report)
        finally:
            bar.close()
            total = len(left_out) + left_out_before
            print(summary(jobs, written, skipped, total))
        return total


def summary(jobs: list[Job], written: int, skipped: int, left_out: int) -> str:
    """Summarize a batch in one line.

    Args:
        jobs: The jobs of the batch.
        written: Number of results written.
        skipped: Number of results that already existed.
        left_out: Number of files left out.

    Returns:
        The summary.
    """
    parts = [f"wrote {written} of {len(jobs) + skipped} results"]
    with suppress(ValueError):  # some paths are absolute
        if folder := os.path.commonpath([job.output.parent for job in jobs]):
            parts[0] += f" to {folder}"
    if skipped:
        parts.append(f"skipped {skipped} that were there (--overwrite replaces them)")
    if left_out:
        parts.append(f"left out {left_out} file{'s' if left_out != 1 else ''}")
    return ", ".join(parts)
