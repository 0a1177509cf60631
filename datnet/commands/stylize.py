"""`datnet stylize`: stylize photographs and clips with paintings."""

from __future__ import annotations

import argparse
import sys
from dataclasses import Field
from typing import TYPE_CHECKING, Any

from datnet.commands.arguments import real, to_name, to_path, to_word, whole
from datnet.errors import DatNetError, require_extra
from datnet.stylize.options import KEEP_COLORS, StylizeOptions, explained

if TYPE_CHECKING:
    from datnet.stylize.jobs import Job, Plan

USAGE = """\
datnet stylize [options] CONTENT [CONTENT ...] STYLE
       datnet stylize [options] CONTENT [CONTENT ...] --style A[:WEIGHT] [--style B[:WEIGHT] ...]"""

DESCRIPTION = """\
Stylize photographs with paintings.

CONTENT is a photograph, a video, a folder of them (with its subfolders) or a quoted pattern such as
'photos/**/*.jpg'. STYLE is a painting, or a folder or pattern of paintings: each content
is stylized with each. --style mixes paintings instead.
"""

EXAMPLES = """\
examples:
  one photograph, half as strong, at the size of a screen
    datnet stylize photo.jpg painting.jpg -o result.png
    datnet stylize photo.jpg painting.jpg -o result.jpg --alpha 0.5 --size 1080

  two paintings mixed, three parts to one
    datnet stylize photo.jpg --style monet.jpg:3 --style hokusai.jpg:1

  the photograph keeps its colors; only what is white in the mask is stylized
    datnet stylize photo.jpg painting.jpg --keep-colors
    datnet stylize photo.jpg painting.jpg --mask sky.png

  one painting in the sky, another one below
    datnet stylize photo.jpg --style sky.jpg --style land.jpg --mask sky.png

  a photograph in the light and colors of another one, its lines as they are; sky like sky
    datnet stylize street.jpg evening.jpg --photorealistic
    datnet stylize street.jpg evening.jpg --photorealistic --regions street.png evening.png

  Gatys' optimization, which needs no trained network, but minutes
    datnet stylize photo.jpg painting.jpg --checkpoint gatys --size 384 --steps 150

  many photographs; a second run stylizes only what is missing
    datnet stylize photos/ painting.jpg -o results/ --size 1024
    datnet stylize photos/ paintings/ -o 'out/{style}/{folder}/{content}.jpg' --quality 90

  a video, with less flicker
    datnet stylize clip.mp4 painting.jpg -o stylized.mp4 --size 480 --smoothing 0.7

Nothing is random: the same command gives the same picture, so there is no --seed. Results are
upright and keep the photograph's color profile, resolution (DPI) and transparency, where the
format can hold them, but not the camera's notes (EXIF), which may tell where it was taken. Colors
are computed in sRGB: the most vivid ones of wider profiles are clipped, also where a mask leaves
the photograph as it is.

exit status: 0 all is stylized; 1 a file was left out or nothing could be done, with one line that
says why; 2 a mistyped command line; 70 an error of DatNet itself; 128 + N ended by signal N.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "stylize",
        help="stylize photographs and clips with paintings",
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
        help="stylize again what is there; a run of several results skips it otherwise. A single "
        "result is always written",
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
        help="for photographs as styles: the result stays a photograph. Uses CAP-VSTNet: "
        "that of --checkpoint, else cap_vstnet_photorealistic.safetensors in $DATNET_WEIGHTS",
    )
    parser.add_argument(
        "--steps",
        type=whole(1),
        help="for gatys: of its optimization; each costs a pass through the encoder, forward and "
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
    for each in explained():
        add_setting(look, each)
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


def add_setting(group: argparse._ArgumentGroup, setting: Field[Any]) -> None:
    """Add the option of a setting of :class:`StylizeOptions`, which has its name and help."""
    details: dict[str, Any] = {}
    if setting.name == "keep_colors":
        details = {"type": keep_colors, "nargs": "?", "const": KEEP_COLORS[0], "metavar": "WAY"}
    elif limits := setting.metadata["limits"]:
        number = whole if isinstance(limits[0], int) else real
        details = {"type": number(*limits)}
    elif setting.metadata["pictures"] == 2:
        details = {"type": to_path, "nargs": 2, "metavar": ("OF_CONTENT", "OF_STYLE")}
    else:
        details = {"type": to_path}
    group.add_argument(
        f"--{setting.name.replace('_', '-')}",
        default=setting.default,
        help=setting.metadata["help"],
        **details,
    )


def keep_colors(text: str) -> str:
    """Read how colors are kept, which is easily confused with a file after the option."""
    if text not in KEEP_COLORS:
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
    """Stylize each content with each style; in a run of several, go on after what fails.

    Returns:
        1 if a file was left out, else 0.
    """
    from datnet.images.files import check_writable  # most of these import torch
    from datnet.stylize.batch import Batch
    from datnet.stylize.inputs import describe_left_out, find_inputs, parse_style
    from datnet.stylize.jobs import plan
    from datnet.stylize.photorealistic import photorealistic_file
    from datnet.stylize.stylizer import Stylizer, with_open_pictures

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
    given = {each.name: getattr(arguments, each.name) for each in explained()}
    options = with_open_pictures(StylizeOptions(weights=weights, **given))
    options.check_styles(len(styles[0]))
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
        print(f"nothing to do: {count(planned.jobs)} there already (--overwrite stylizes again)")
        return 1 if looked_past else 0
    check_writable(job.output for job in to_do)
    checkpoint = arguments.checkpoint
    if arguments.photorealistic:
        checkpoint = photorealistic_file(checkpoint)
    batch = Batch(
        Stylizer(checkpoint, arguments.device, arguments.dtype, arguments.steps),
        options,
        len(styles[0]),
        arguments.quality,
        arguments.smoothing,
        arguments.crf,
    )
    if not planned.several:
        print(batch.stylize(to_do[0], progress=True))
        return 0
    skipped = len(planned.jobs) - len(to_do)
    return 1 if batch.stylize_all(to_do, skipped, len(looked_past)) else 0


def check_options(planned: Plan, arguments: argparse.Namespace) -> None:
    """Refuse options that do not fit what is to be stylized.

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
        require_extra("video", "av", purpose="stylizing clips")
    if arguments.regions is not None and (clips or planned.several):
        raise DatNetError(
            "--regions are those of one photograph and one style; stylize others by commands of "
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
