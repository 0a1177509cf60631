"""Which files `datnet stylize` reads and writes, decided before anything is painted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from datnet.errors import DatNetError
from datnet.images.clips.formats import FORMATS as CLIP_SAVING_FORMATS
from datnet.images.clips.formats import SUFFIXES as CLIP_SUFFIXES
from datnet.images.clips.formats import video_format
from datnet.images.reading import FORMATS, SAVING_FORMATS, find_images, saving_format


@dataclass(frozen=True)
class Job:
    """One result.

    Attributes:
        content: The photograph or clip.
        styles: The paintings, more than one if they are mixed.
        output: The file to write.
    """

    content: Path
    styles: tuple[Path, ...]
    output: Path

    @property
    def is_clip(self) -> bool:
        """Whether a video is painted. An animated GIF is one if the output's name is."""
        return self.output.suffix.lower() in CLIP_SAVING_FORMATS


@dataclass(frozen=True)
class Plan:
    """What one command is to do.

    Attributes:
        jobs: At least one.
        several: Whether several results may come of it, even if it is one this time.
    """

    jobs: list[Job]
    several: bool


@dataclass(frozen=True)
class Inputs:
    """The files that a name on the command line stands for.

    Attributes:
        paths: The files, in order.
        folder: The folder in which they were found, None if they were not searched for in one.
        searched: Whether the name was a folder or a pattern, so that their number was not known.
    """

    paths: list[Path]
    folder: Path | None = None
    searched: bool = False


def find_inputs(name: str, clips: bool) -> Inputs:
    """Find what a name on the command line stands for: a file, a folder or a glob pattern.

    A folder is searched with its subfolders. A pattern has ``*``, ``?`` or ``[``, where ``**``
    stands for any subfolders. Both find images and, if they are asked for, clips. What exists under
    the very name is no pattern.

    Args:
        name: The name. Whether a file of this name exists is not looked at.
        clips: Whether clips are found, too.

    Raises:
        DatNetError: If a folder or pattern holds none.
    """
    path = Path(name)
    also = CLIP_SUFFIXES if clips else frozenset()
    if path.is_dir():
        return Inputs(find_images(path, also), folder=path, searched=True)
    if path.exists() or not re.search(r"[*?\[]", name):
        return Inputs([path])
    suffixes = FORMATS.keys() | also
    try:
        found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except ValueError as error:  # `**` inside a name
        raise DatNetError(f"{name}: this is no pattern of file names: {error}") from error
    files = [
        each
        for each in found
        if each.suffix.lower() in suffixes and not each.name.startswith(".") and each.is_file()
    ]
    if not files:
        raise DatNetError(f"{name}: no image has such a name")
    return Inputs(files, searched=True)


def parse_style(text: str) -> tuple[Path, float | None]:
    """Split ``PATH:WEIGHT``; the weight may be missing.

    A file that is called so as a whole goes before, so a path may have colons.

    Raises:
        DatNetError: If the path is a folder.
    """
    path, weight = Path(text), None
    before, colon, after = text.rpartition(":")
    if colon and not path.exists():
        with suppress(ValueError):  # a path with a colon
            path, weight = Path(before), float(after)
    if path.is_dir():
        raise DatNetError(
            f"--style {text}: this is a folder; name one painting. `datnet stylize CONTENT "
            f"{path}` paints in the manner of each of its pictures"
        )
    return path, weight


def plan(
    contents: list[Inputs],
    styles: list[tuple[Path, ...]],
    output: str | None,
    *,
    searched: bool = False,
    also_read: Sequence[Path] = (),
) -> Plan:
    """Name the result of every content with every style.

    Args:
        contents: What was found for every content on the command line.
        styles: Paintings, or mixtures of them.
        output: What the user wants: a file for a single result; a folder, where results are called
            ``CONTENT__STYLE.png`` (clips ``.mp4``); or a pattern with ``{content}`` and
            ``{style}``, which stand for the names without suffix. Where contents are of both
            kinds, those that the pattern's suffix does not fit get ``.png`` or ``.mp4`` instead. By
            default ``stylized.png`` or, for several results, the folder ``stylized``.
        searched: Whether the styles come of a folder or pattern.
        also_read: More files that are read.

    Returns:
        The jobs, style by style. Results of an earlier run that were found among the contents are
        left out.

    Raises:
        DatNetError: If two jobs would write one file, a file that is read would be written, or a
            name is none of a picture or video.
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
            output = str(path / "{content}__{style}{suffix}")
    paths = contents_to_paint(contents, folder)
    both_kinds = len({path.suffix.lower() in CLIP_SUFFIXES for path in paths}) == 2
    jobs = [
        Job(content, mixture, name_output(output, content, mixture, both_kinds))
        for mixture in styles
        for content in paths
    ]
    searched_for = {path for each in contents if each.searched for path in each.paths}
    jobs = without_earlier_results(jobs, searched_for)
    if not jobs:
        raise DatNetError(
            f"{first} and all others are in the folder of the results; there is nothing to paint"
        )
    for job in jobs:
        check_kind(job)
    refuse_clashes(jobs, also_read)
    return Plan(jobs, several)


def contents_to_paint(contents: list[Inputs], output_folder: Path | None) -> list[Path]:
    """All contents, each once, but what lies in an output folder inside a searched folder."""
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


def name_output(pattern: str, content: Path, styles: Iterable[Path], both_kinds: bool) -> Path:
    """Fill in a pattern.

    Args:
        pattern: The pattern, or a name without fields.
        content: The photograph or clip.
        styles: The paintings.
        both_kinds: Whether there are contents of both kinds, so that the pattern's suffix can fit
            one kind only; the others get another.

    Raises:
        DatNetError: If it has a field in braces that is unknown.
    """
    kind = content.suffix.lower()
    is_clip = kind in CLIP_SUFFIXES
    suffix = ".mp4" if is_clip else ".png"
    style = "+".join(each.stem for each in styles)
    values = {"content": content.stem, "style": style, "suffix": suffix}

    def value(field: re.Match[str]) -> str:
        if field[1] not in values:
            raise DatNetError(
                f"-o {pattern}: {field[0]} means nothing; a pattern can have {{content}} and "
                "{style}, the names of the pictures without suffix"
            )
        return values[field[1]]

    output = Path(re.sub(r"\{([^{}]*)\}", value, pattern))
    if both_kinds and "{" in pattern and kind != ".gif":  # which can be either
        of_other_kind = SAVING_FORMATS if is_clip else CLIP_SAVING_FORMATS
        if output.suffix.lower() in of_other_kind:
            return output.with_suffix(suffix)
    return output


def without_earlier_results(jobs: list[Job], searched: set[Path]) -> list[Job]:
    """Leave out searched contents that the jobs of other contents are about to write.

    One that is its own result as well stays for :func:`refuse_clashes` unless the other content
    lies in another folder: `x.png` beside `x.jpg` makes no earlier result of the latter.
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
    """Refuse results that would replace each other or a picture that is read.

    Args:
        jobs: All jobs.
        also_read: Files that every job reads.

    Raises:
        DatNetError: If there are any.
    """
    read = {
        (status.st_dev, status.st_ino): path
        for path in {*also_read, *(path for job in jobs for path in (job.content, *job.styles))}
        if path.exists() and (status := path.stat())
    }
    seen: dict[Path, Job] = {}
    for job in jobs:
        other = seen.setdefault(job.output, job)
        if other is not job:
            raise DatNetError(
                f"{describe(other)} would have the same result file {job.output} as "
                f"{describe(job)}; rename one of them, or name results by a pattern such as "
                "-o 'out/{content}_{style}.png'"
            )
        if job.output.exists():
            status = job.output.stat()
            if (status.st_dev, status.st_ino) in read:
                raise DatNetError(
                    f"{job.output} is a picture that is read and would be overwritten; name "
                    "another output with -o"
                )


def describe(job: Job) -> str:
    """The files that a job reads."""
    return " and ".join(str(path) for path in (job.content, *job.styles))


def check_kind(job: Job) -> None:
    """Refuse an output of another kind than its content, or of no kind that can be written.

    Raises:
        DatNetError: If so.
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
