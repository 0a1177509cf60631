"""`datnet stylize`: paint photographs and clips in the manner of paintings."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from datnet.commands.arguments import (
    LARGEST_SIDE,
    SMALLEST_SIDE,
    real,
    to_name,
    to_path,
    to_word,
    whole,
)
from datnet.errors import DatNetError, require_extra

if TYPE_CHECKING:
    from datnet.stylize.jobs import Job, Plan
    from datnet.stylize.stylizer import EncodedStyle, Stylizer

USAGE = """\
datnet stylize [options] CONTENT [CONTENT ...] STYLE
       datnet stylize [options] CONTENT [CONTENT ...] --style A[:WEIGHT] [--style B[:WEIGHT] ...]"""

DESCRIPTION = """\
Paint photographs in the manner of paintings.

CONTENT is a photograph, a video, a folder of them (with its subfolders) or a quoted pattern such as
'photos/**/*.jpg'. STYLE is a painting, or a folder or pattern of paintings: every content
is painted in the manner of each. --style mixes paintings instead.
"""

EXAMPLES = """\
examples:
  one photograph, half as strong, at the size of a screen
    datnet stylize photo.jpg painting.jpg -o result.png
    datnet stylize photo.jpg painting.jpg -o result.jpg --alpha 0.5 --size 1080

  two paintings mixed, three parts to one
    datnet stylize photo.jpg --style monet.jpg:3 --style hokusai.jpg:1

  the photograph keeps its colours; only what the mask shows white is painted
    datnet stylize photo.jpg painting.jpg --keep-colors
    datnet stylize photo.jpg painting.jpg --mask sky.png

  one painting in the sky, another one below
    datnet stylize photo.jpg --style sky.jpg --style land.jpg --mask sky.png

  a photograph in the light and colours of another one, its lines as they are; sky like sky
    datnet stylize street.jpg evening.jpg --photorealistic
    datnet stylize street.jpg evening.jpg --photorealistic --regions street.png evening.png

  Gatys' optimisation, which needs no trained network, but minutes
    datnet stylize photo.jpg painting.jpg --checkpoint gatys --size 384 --steps 150

  many photographs; a second run paints only what is missing
    datnet stylize photos/ painting.jpg -o results/ --size 1024
    datnet stylize photos/ paintings/ -o 'out/{style}/{folder}/{content}.jpg' --quality 90

  a video, with less flicker
    datnet stylize clip.mp4 painting.jpg -o painted.mp4 --size 480 --smoothing 0.7

Nothing is random: the same command gives the same picture, so there is no --seed. Results are
upright and keep the photograph's colour profile, resolution (DPI) and transparency, where the
format can hold them, but not the camera's notes (EXIF), which may tell where it was taken. Colours
are painted in sRGB: the most vivid ones of wider profiles are clipped, also where a mask leaves the
photograph unpainted.

exit status: 0 all is painted; 1 a file was left out or nothing could be done, with one line that
says why; 2 a mistyped command line; 70 an error of DatNet itself; 128 + N ended by signal N.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "stylize",
        help="paint photographs and clips in the manner of paintings",
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "pictures",
        type=to_name,
        nargs="+",
        metavar="CONTENT ... STYLE",
        help="photographs or clips and then, unless --style is given, a painting",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=to_name,
        help="the result's file; a folder, where results are called CONTENT__STYLE.png "
        "and subfolders of a folder of contents are mirrored; or a pattern with {content}, {style} "
        "and {folder} (of the content), such as 'out/{folder}/{content}_{style}.jpg' (default: "
        "stylized.png, or the folder stylized). .png, .jpg, .webp, .tif, .bmp, .avif; clips: "
        ".mp4, .mov, .mkv, .webm. Of photographs and clips together, those that a pattern's suffix "
        "does not fit become .png or .mp4",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="paint again what is there; a run of several results skips it otherwise. A single "
        "result is always painted",
    )
    parser.add_argument(
        "--checkpoint",
        type=to_path,
        help="a network.safetensors of `datnet train`, or the run's folder; or a network that "
        "comes with DatNet, such as adain; or one that its authors published: microast, or a "
        "folder with its files; or a method without training: wct, gatys, wct_vgg19, gatys_vgg19 "
        "(default: datnet_full)",
    )
    parser.add_argument(
        "--photorealistic",
        action="store_true",
        help="for photographs as styles: the result stays a photograph. Paints with CAP-VSTNet: "
        "that of --checkpoint, else cap_vstnet_photorealistic.safetensors in $DATNET_WEIGHTS",
    )
    parser.add_argument(
        "--steps",
        type=whole(1),
        help="for gatys: of its optimisation; each costs a pass through the encoder, forward and "
        "backward (default: 300)",
    )
    parser.add_argument(
        "--device", type=to_word, help="cpu, cuda, cuda:1, … (default: a GPU if there is one)"
    )
    parser.add_argument(
        "--dtype",
        choices=["float32", "bfloat16", "float16"],
        default="float32",
        help="float32 (default), bfloat16 or float16: how precisely convolutions are computed; new "
        "GPUs are much faster in 16 bits",
    )
    look = parser.add_argument_group("how it looks")
    look.add_argument(
        "--style",
        type=painting,
        action="append",
        metavar="FILE[:WEIGHT]",
        help="a painting and how much it counts (default: 1); several are mixed",
    )
    look.add_argument(
        "--alpha", type=real(0, 1), default=1.0, help="strength of the style, 0 to 1 (default: 1)"
    )
    look.add_argument(
        "--keep-colors",
        nargs="?",
        const="luminance",
        type=keep_colors,
        metavar="WAY",
        help="luminance (if WAY is left out): the photograph's colours, brightness as painted; "
        "histogram: the painting takes the photograph's colours first. Before a file write "
        "--keep-colors=luminance",
    )
    look.add_argument(
        "--mask",
        type=to_path,
        help="picture of any size that says where to paint: white takes the first style, black the "
        "second one, or with one style leaves the photograph as it is; gray gives soft edges",
    )
    look.add_argument(
        "--regions",
        type=to_path,
        nargs=2,
        metavar=("OF_CONTENT", "OF_STYLE"),
        help="for CAP-VSTNet: two pictures in which every region has a flat colour of its own. A "
        "region is painted like the style's of the same colour; without one it stays as it is",
    )
    look.add_argument(
        "--size",
        type=whole(SMALLEST_SIDE, LARGEST_SIDE),
        help="shorter side of the result (default: as the content)",
    )
    look.add_argument(
        "--style-size",
        type=whole(SMALLEST_SIDE, LARGEST_SIDE),
        help="shorter side of the painting; larger gives larger strokes (default: its own, but not "
        "larger than the content's)",
    )
    look.add_argument(
        "--quality",
        type=whole(1, 100),
        help="1 to 100, for JPEG and WebP (default: 95) and AVIF (75)",
    )
    look.add_argument(
        "--smoothing",
        type=real(0, 1, without_most=True),
        default=0.0,
        help="for clips, 0 to less than 1: how much of the frames before stays where the clip does "
        "not change, against flicker (default: 0)",
    )
    look.add_argument(
        "--crf",
        type=whole(0, 63),
        help="for clips, constant rate factor of the encoder; smaller is better and larger in "
        "bytes: 0 to 51 (default: 18), for .webm 0 to 63 (default: 24)",
    )
    parser.set_defaults(run=run)


def keep_colors(text: str) -> str:
    """Read the way to keep colours, which is easily confused with a file behind the option."""
    if text not in ("luminance", "histogram"):
        raise argparse.ArgumentTypeError(
            f'"{text}" is neither luminance nor histogram; before a file write '
            "--keep-colors=luminance"
        )
    return text


def painting(text: str) -> str:
    """Read FILE[:WEIGHT], whose FILE must not be empty."""
    text = to_name(text)
    to_word(text.rpartition(":")[0] if ":" in text else text)
    return text


def run(arguments: argparse.Namespace) -> int:
    """Paint every content in every style; in a run of several, go on after what fails.

    Returns:
        1 if a file was left out, else 0.
    """
    from datnet.images.files import check_writable
    from datnet.images.opening import open_mask, open_regions
    from datnet.stylize.inputs import describe_left_out, find_inputs, parse_style
    from datnet.stylize.jobs import plan
    from datnet.stylize.photorealistic import photorealistic_file
    from datnet.stylize.stylizer import Stylizer, check_settings

    weights: list[float] | None = None
    if arguments.style:
        names, searched = arguments.pictures, False
        paintings = [parse_style(text) for text in arguments.style]
        styles = [tuple(path for path, _ in paintings)]
        if any(weight is not None for _, weight in paintings):
            weights = [1.0 if weight is None else weight for _, weight in paintings]
    elif len(arguments.pictures) < 2:
        raise DatNetError(
            f"{arguments.pictures[0]} is all that is named; a photograph and a painting are "
            "needed: datnet stylize photo.jpg painting.jpg"
        )
    else:
        *names, last = arguments.pictures
        found = find_inputs(last, clips=False)
        styles, searched = [(path,) for path in found.paths], found.searched
    settings: dict[str, Any] = {
        "alpha": arguments.alpha,
        "size": arguments.size,
        "weights": weights,
        "style_size": arguments.style_size,
        "keep_colors": arguments.keep_colors,
        "mask": None if arguments.mask is None else open_mask(arguments.mask),
    }
    if arguments.regions is not None:
        settings["regions"] = tuple(map(open_regions, arguments.regions))
    check_settings(len(styles[0]), **settings)
    contents = [find_inputs(name, clips=True) for name in names]
    searched_in = contents if arguments.style else [*contents, found]
    looked_past = list(dict.fromkeys(each for inputs in searched_in for each in inputs.left_out))
    for line in describe_left_out(looked_past):
        print(f"left out {line}", file=sys.stderr)
    also_read = [path for path in (arguments.mask, *(arguments.regions or ())) if path is not None]
    planned = plan(contents, styles, arguments.output, searched=searched, also_read=also_read)
    check_options(planned, arguments)
    skip_existing = planned.several and not arguments.overwrite
    to_do = [job for job in planned.jobs if not (skip_existing and job.output.exists())]
    if not to_do:
        print(f"nothing to do: {count(planned.jobs)} there already (--overwrite paints again)")
        return 1 if looked_past else 0
    check_writable(job.output for job in to_do)
    checkpoint = arguments.checkpoint
    if arguments.photorealistic:
        checkpoint = photorealistic_file(checkpoint)
    painter = Painter(
        Stylizer(checkpoint, arguments.device, arguments.dtype, arguments.steps),
        settings,
        len(styles[0]),
        arguments.quality,
        arguments.smoothing,
        arguments.crf,
    )
    if not planned.several:
        print(painter.paint(to_do[0], progress=True))
        return 0
    skipped = len(planned.jobs) - len(to_do)
    return paint_all(painter, to_do, skipped=skipped, looked_past=len(looked_past))


def check_options(planned: Plan, arguments: argparse.Namespace) -> None:
    """Refuse options that do not fit what is to be painted.

    Raises:
        DatNetError: If there are any.
    """
    from datnet.images.clips.formats import check_crf
    from datnet.images.pictures import check_quality

    jobs = planned.jobs
    for job in jobs:
        if job.is_clip:
            check_crf(job.output, arguments.crf)
        else:
            check_quality(job.output, arguments.quality)
    clips = any(job.is_clip for job in jobs)
    if clips:
        require_extra("video", "av", purpose="painting clips")
    if arguments.regions is not None and (clips or planned.several):
        raise DatNetError(
            "--regions are those of one photograph and one style; paint others by commands of "
            "their own"
        )
    if arguments.smoothing and not clips:
        raise DatNetError("--smoothing is for clips, and no content is one")
    if arguments.crf is not None and not clips:
        raise DatNetError("--crf is for clips, and no content is one; pictures have --quality")
    if arguments.quality is not None and all(job.is_clip for job in jobs):
        raise DatNetError("--quality is for pictures; clips have --crf")


def count(jobs: list[Job]) -> str:
    """Say how many results there are."""
    return f"{len(jobs)} result{'s are' if len(jobs) != 1 else ' is'}"


class Painter:
    """Paints one job after the other with the same settings.

    Args:
        stylizer: The network.
        settings: What :class:`datnet.Stylizer` and :func:`datnet.stylize.clips.stylize_video` take
        alike. styles: How many paintings every job mixes.
        quality: Of pictures in a lossy format.
        smoothing: Of clips.
        crf: Of clips, None for the format's own.
    """

    def __init__(
        self,
        stylizer: Stylizer,
        settings: dict[str, Any],
        styles: int,
        quality: int | None,
        smoothing: float,
        crf: int | None,
    ) -> None:
        self.stylizer = stylizer
        self.settings = settings
        self.quality = quality
        self.smoothing = smoothing
        self.crf = crf
        # A batch goes style by style, and photographs of one camera have one size.
        self.encode = lru_cache(maxsize=styles)(self.encode_for)

    def encode_for(self, painting: Path, content_side: int) -> EncodedStyle:
        """Encode a painting for contents of one size."""
        return self.stylizer.encode_style(
            painting, self.settings["style_size"], content_side=content_side
        )

    def paint(self, job: Job, progress: bool) -> str:
        """Paint and write one result.

        Args:
            job: What to paint.
            progress: Whether to show the progress of a clip.

        Returns:
            One line about it.

        Raises:
            DatNetError: If a file cannot be read or written, or there is not enough memory.
        """
        if job.is_clip:
            return self.paint_clip(job, progress)
        from datnet.images.opening import open_picture
        from datnet.images.pictures import save_picture

        photograph, origin = open_picture(job.content, "content", self.settings["size"])
        content_side = self.settings["size"] or min(photograph.size)
        styles: list[Path | EncodedStyle] = list(job.styles)
        if self.settings["keep_colors"] != "histogram":  # else recoloured for every content
            styles = [self.encode(path, content_side) for path in job.styles]
        result = self.stylizer(photograph, styles, **self.settings)
        save_picture(result, job.output, origin, self.quality)
        return f"wrote {job.output}"

    def paint_clip(self, job: Job, progress: bool) -> str:
        """Paint and write one clip, see :meth:`paint`."""
        from datnet.stylize.clips import stylize_video

        report = stylize_video(
            self.stylizer,
            job.content,
            list(job.styles),
            job.output,
            smoothing=self.smoothing,
            crf=self.crf,
            progress=progress,
            **self.settings,
        )
        return f"wrote {job.output}: {report}"


def paint_all(painter: Painter, jobs: list[Job], skipped: int, looked_past: int) -> int:
    """Paint many results; tell at once what fails, go on, and sum up.

    Args:
        painter: Paints.
        jobs: What to paint.
        skipped: How many results were there already.
        looked_past: How many files and folders are left out before.

    Returns:
        1 if a file was left out, else 0.

    Raises:
        UnwritableFileError: If files cannot be written, which ends the run.
    """
    from datnet.images.errors import UnreadableImageError, UnwritableFileError

    left_out: set[Path] = set()
    written = 0
    bar = tqdm(jobs, unit="image", disable=None)  # None: where no one watches, no bar
    try:
        for job in bar:
            if left_out & {job.content, *job.styles}:
                continue
            try:
                report = painter.paint(job, progress=False)
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
        parts = [f"wrote {written} of {len(jobs) + skipped} results"]
        with suppress(ValueError):  # some paths are absolute
            if folder := os.path.commonpath([job.output.parent for job in jobs]):
                parts[0] += f" to {folder}"
        if skipped:
            parts.append(f"skipped {skipped} that were there (--overwrite paints them again)")
        number = len(left_out) + looked_past
        if number:
            parts.append(f"left out {number} file{'s' if number != 1 else ''}")
        print(", ".join(parts))
    return 1 if number else 0
