"""Many results, one after the other: what fails is named, and the rest is done."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.images.errors import UnreadableImageError, UnwritableFileError
from datnet.images.opening import open_picture
from datnet.images.pictures import save_picture
from datnet.stylize.jobs import Job
from datnet.stylize.options import StylizeOptions
from datnet.stylize.stylizer import EncodedStyle, Stylizer


class Batch:
    """Stylizes jobs with the same settings; a style that they share is encoded once.

    Args:
        stylizer: The network.
        options: The settings.
        styles: How many paintings each job mixes.
        quality: Of pictures in a lossy format, 1 to 100; None for the format's default.
        smoothing: Of clips, in [0, 1).
        crf: Constant rate factor of clips; None for the format's default.
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
        # Jobs come style by style, and photographs of one camera have one size.
        self.encode = lru_cache(maxsize=styles)(self._encode)

    def _encode(self, painting: Path, content_side: int) -> EncodedStyle:
        return self.stylizer.encode_style(
            painting, self.options.style_size, content_side=content_side
        )

    def stylize(self, job: Job, progress: bool = False) -> str:
        """Stylize one content and write the result.

        Args:
            job: The content, its styles and the file to write.
            progress: Whether to show the progress of a clip.

        Returns:
            One line about it.

        Raises:
            DatNetError: If a file cannot be read or written, or there is not enough memory.
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
        result = self.stylizer.stylize(photograph, styles, self.options)
        save_picture(result, job.output, origin, self.quality)
        return f"wrote {job.output}"

    def stylize_all(self, jobs: list[Job], skipped: int = 0, left_out_before: int = 0) -> int:
        """Stylize many contents; name at once what fails, go on, and sum up.

        Args:
            jobs: What to stylize.
            skipped: How many results were there already.
            left_out_before: How many files and folders were left out before.

        Returns:
            How many files were left out.

        Raises:
            UnwritableFileError: If files cannot be written, which ends the run.
        """
        left_out: set[Path] = set()
        written = 0
        bar = tqdm(jobs, unit="image", disable=None)  # None: no bar where no terminal shows it
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
                    if job.is_clip:
                        tqdm.write(report)
        finally:
            bar.close()
            total = len(left_out) + left_out_before
            print(summary(jobs, written, skipped, total))
        return total


def summary(jobs: list[Job], written: int, skipped: int, left_out: int) -> str:
    """One line about a batch."""
    parts = [f"wrote {written} of {len(jobs) + skipped} results"]
    with suppress(ValueError):  # some paths are absolute
        if folder := os.path.commonpath([job.output.parent for job in jobs]):
            parts[0] += f" to {folder}"
    if skipped:
        parts.append(f"skipped {skipped} that were there (--overwrite stylizes them again)")
    if left_out:
        parts.append(f"left out {left_out} file{'s' if left_out != 1 else ''}")
    return ", ".join(parts)
