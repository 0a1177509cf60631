"""Plan which files `datnet stylize` reads and writes, before anything is stylized."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from datnet.errors import DatNetError
from datnet.images.clips.formats import FORMATS as CLIP_SAVING_FORMATS
from datnet.images.clips.formats import video_format
from datnet.images.formats import CLIP_SUFFIXES, SAVING_FORMATS
from datnet.images.saving import saving_format
from datnet.stylize.inputs import Inputs
from datnet.stylize.naming import Names


@dataclass(frozen=True)
class Job:
    """One result to make.

    Attributes:
        content: The photograph or clip.
        styles: The paintings; more than one if they are mixed.
        output: The file to write.
    """

    content: Path
    styles: tuple[Path, ...]
    output: Path

    @property
    def is_clip(self) -> bool:
        """Whether the result is a video. For a GIF the name of the output decides."""
        return self.output.suffix.lower() in CLIP_SAVING_FORMATS


@dataclass(frozen=True)
class Plan:
    """All jobs of one command.

    Attributes:
        jobs: The jobs, at least one.
        several: Whether the command can have several results, even if there is only one now.
    """

    jobs: list[Job]
    several: bool


def plan(
    contents: list[Inputs],
    styles: list[tuple[Path, ...]],
    output: str | None,
    *,
    searched: bool = False,
    also_read: Sequence[Path] = (),
) -> Plan:
    """Plan the jobs: each content with each style, and the file of each result.

    Args:
        contents: The files found for each content argument of the command line.
        styles: Paintings, or mixtures of them.
        output: The value of ``-o``. A file for a single result; a folder, where results are named
            ``CONTENT__STYLE.png`` (clips ``.mp4``) and the subfolders of a searched folder are
            mirrored; or a pattern with ``{content}``, ``{style}`` (names without suffix) and
            ``{folder}`` (those subfolders). If there are photographs and clips, those that the
            suffix of the pattern does not fit get ``.png`` or ``.mp4``. None stands for
            ``stylized.png`` or, for several results, the folder ``stylized``.
        searched: Whether the styles come from a folder or pattern.
        also_read: Other files that are read.

    Returns:
        The jobs, ordered by style. Results of an earlier run among the contents are left out.

    Raises:
        DatNetError: If two jobs would write the same file, an input file would be overwritten, or
            a file name is not that of a picture or video.
    """
    several = searched or len(contents) > 1 or contents[0].searched
    first = contents[0].paths[0]
    if output is None:
        clip = first.suffix.lower() in CLIP_SUFFIXES
        output = "stylized" if several else "stylized.mp4" if clip else "stylized.png"
    folder = None
    if "{" not in output:
        path = Path(output)
        named_as_folder = output.endswith(("/", "\\")) or path.is_dir() or not path.suffix
        named_as_file = path.suffix.lower() in SAVING_FORMATS.keys() | CLIP_SAVING_FORMATS.keys()
        if named_as_folder or (several and not named_as_file):
            folder = path
    paths = contents_to_stylize(contents, folder)
    if not paths:
        raise DatNetError(
            f"{first} and all others are in the output folder; there is nothing to stylize"
        )
    names = Names(contents, paths, styles)
    jobs = [
        Job(
            content,
            mixture,
            names.fill_in(output, content, mixture)
            if folder is None
            else names.place_in(folder, content, mixture),
        )
        for mixture in styles
        for content in paths
    ]
    if folder is not None:
        jobs = keep_places(jobs, folder)
    searched_for = {path for each in contents if each.searched for path in each.paths}
    jobs = without_earlier_results(jobs, searched_for)
    if not jobs:
        raise DatNetError(
            f"{first} and all others are earlier results; there is nothing to stylize"
        )
    for job in jobs:
        check_kind(job)
    refuse_clashes(jobs, also_read)
    return Plan(jobs, several)


def contents_to_stylize(contents: list[Inputs], output_folder: Path | None) -> list[Path]:
    """Return the contents without duplicates and without those in an output folder.

    Args:
        contents: The files found for each content argument.
        output_folder: The output folder; it matters only inside a searched folder.

    Returns:
        The paths, in order.
    """
    found: dict[Path, None] = {}
    for inputs in contents:
        results = None
        if inputs.folder is not None and output_folder is not None:
            root, inside = inputs.folder.resolve(), output_folder.resolve()
            results = inside if inside != root and inside.is_relative_to(root) else None
        for path in inputs.paths:
            if results is None or not path.resolve().is_relative_to(results):
                found[path] = None
    return list(found)


def keep_places(jobs: list[Job], folder: Path) -> list[Job]:
    """Keep the place of existing results that lie in the output folder itself.

    Earlier versions put all results there. A result is kept only if its name belongs to one job:
    those versions refused several contents of the same name.

    Args:
        jobs: The jobs.
        folder: The output folder.

    Returns:
        The jobs, some with another output file.
    """
    flat = Counter(flat_name(job) for job in jobs)
    return [
        replace(job, output=folder / flat_name(job))
        if flat[flat_name(job)] == 1
        and not job.output.exists()
        and (folder / flat_name(job)).exists()
        else job
        for job in jobs
    ]


def flat_name(job: Job) -> str:
    """Return the file name of a result in versions that did not mirror subfolders."""
    style = "+".join(each.stem for each in job.styles)
    return f"{job.content.stem}__{style}{job.output.suffix}"


def without_earlier_results(jobs: list[Job], searched: set[Path]) -> list[Job]:
    """Leave out searched contents that are result files of other jobs.

    A content that would also be its own result is kept for :func:`refuse_clashes`, unless the other
    content lies in another folder: `x.png` next to `x.jpg` is not an earlier result of it.

    Args:
        jobs: The jobs.
        searched: Contents found in folders or by patterns.

    Returns:
        The remaining jobs.
    """
    writers: dict[Path, set[Path]] = {}
    for job in jobs:
        writers.setdefault(job.output.resolve(), set()).add(job.content)

    def is_earlier_result(job: Job) -> bool:
        path = job.content.resolve()
        return job.content in searched and any(
            job.output.resolve() != path or other.resolve().parent != path.parent
            for other in writers.get(path, set()) - {job.content}
        )

    return [job for job in jobs if not is_earlier_result(job)]


def refuse_clashes(jobs: list[Job], also_read: Sequence[Path]) -> None:
    """Check that results replace neither each other nor an input file.

    Args:
        jobs: All jobs.
        also_read: Files that every job reads.

    Raises:
        DatNetError: If there is such a result.
    """
    read = {
        (status.st_dev, status.st_ino): path
        for path in {*also_read, *(path for job in jobs for path in (job.content, *job.styles))}
        if path.exists() and (status := path.stat())
    }
    seen: dict[str, Job] = {}
    for job in jobs:
        path = str(job.output)
        other = seen.setdefault(path.casefold() if ignores_case(job.output) else path, job)
        if other is not job:
            raise DatNetError(
                f"{describe(other)} would have the same result file {job.output} as "
                f"{describe(job)}; {advice(other, job)}"
            )
        if job.output.exists():
            status = job.output.stat()
            if (status.st_dev, status.st_ino) in read:
                raise DatNetError(
                    f"{job.output} is an input file and would be overwritten; choose "
                    "another output with -o"
                )


def advice(job: Job, other: Job) -> str:
    """Advise what to do if two jobs have the same result file.

    Args:
        job: A job.
        other: Another job.

    Returns:
        The advice, for the error message.
    """
    if job.content == other.content:
        return "add {style} to the pattern, or give a folder with -o"
    if job.content.parent != other.content.parent:
        return "keep them apart with -o 'out/{folder}/{content}__{style}.png'"
    if job.content.name.casefold() == other.content.name.casefold():
        return "they differ in capitals only, which are ignored there; rename one of them"
    return "give a folder with -o, such as -o out/, where names differ, or rename one of them"


@lru_cache(maxsize=1024)
def folder_ignores_case(folder: Path) -> bool:
    """Return whether a folder ignores case, as on most disks of macOS and Windows."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    folder = folder.resolve()
    other = folder.with_name(folder.name.swapcase()) if folder.name else folder
    try:
        return other != folder and other.exists() and other.samefile(folder)
    except OSError:
        return False


def ignores_case(path: Path) -> bool:
    """Return whether a file with this name replaces one whose name differs only in case."""
    return folder_ignores_case(path.parent)


def describe(job: Job) -> str:
    """Return the names of the files that a job reads."""
    return " and ".join(str(path) for path in (job.content, *job.styles))


def check_kind(job: Job) -> None:
    """Check that the output has the kind of the content and a format that can be written.

    Raises:
        DatNetError: If it does not.
    """
    if job.content.suffix.lower() in CLIP_SUFFIXES:
        video_format(job.output)
    elif not job.is_clip:
        saving_format(job.output)
    elif job.content.suffix.lower() != ".gif":
        raise DatNetError(
            f"{job.output} would be a video, but {job.content} is a picture; name the result .png "
            "or .jpg"
        )
