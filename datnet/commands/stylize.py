"""`datnet stylize`: stylize photographs and clips with paintings.

The file is long because the command has many options, all declared and checked here.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import Field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datnet.commands.arguments import real, to_name, to_path, to_word, whole
from datnet.errors import DatNetError, require_extra
from datnet.stylize.options import AUTOMATIC, KEEP_COLORS, StylizeOptions, explained

if TYPE_CHECKING:
    from datnet.stylize.inputs import Inputs
    from datnet.stylize.jobs import Job, Plan

USAGE = """\
datnet stylize [options] CONTENT [CONTENT ...] STYLE
       datnet stylize [options] CONTENT [CONTENT ...] --style A[:WEIGHT] [--style B[:WEIGHT] ...]"""

DESCRIPTION = """\
Stylize photographs and videos with paintings.

CONTENT is a photograph, a video, a folder of them (searched recursively) or a quoted pattern such
as 'photos/**/*.jpg'. STYLE is a painting, or a folder or pattern of paintings; each content is
stylized with each style. --style mixes several paintings into one style instead.
"""

EXAMPLES = """\
examples:
  one photograph; then with half the strength and a shorter side of 1080 pixels
    datnet stylize photo.jpg painting.jpg -o result.png
    datnet stylize photo.jpg painting.jpg -o result.jpg --alpha 0.5 --size 1080

  mix two paintings, three parts to one
    datnet stylize photo.jpg --style monet.jpg:3 --style hokusai.jpg:1

  the strength that covers 60 % of the way to the style; a texture that tiles
    datnet stylize photo.jpg painting.jpg --alpha auto:0.6
    datnet stylize bricks.png painting.jpg --tileable

  keep the colors of the photograph; stylize only where a mask is white
    datnet stylize photo.jpg painting.jpg --keep-colors
    datnet stylize photo.jpg painting.jpg --mask sky.png

  one painting for the sky (white in the mask), another for the rest
    datnet stylize photo.jpg --style sky.jpg --style land.jpg --mask sky.png

  photorealistic: the light and colors of another photograph; then region by region
    datnet stylize street.jpg evening.jpg --photorealistic
    datnet stylize street.jpg evening.jpg --photorealistic --regions street.png evening.png

  a network trained for one painting or a few (datnet tune, model=johnson, model=cin)
    datnet stylize photo.jpg --checkpoint mystyle.safetensors
    datnet stylize photo.jpg --style monet.jpg:3 --style hokusai.jpg --checkpoint runs/cin/seed_1

  Gatys' optimization, which needs no trained network but takes minutes
    datnet stylize photo.jpg painting.jpg --checkpoint gatys --size 384 --steps 150

  many photographs; a second run only adds missing results
    datnet stylize photos/ painting.jpg -o results/ --size 1024
    datnet stylize photos/ paintings/ -o 'out/{style}/{folder}/{content}.jpg' --quality 90

  a video, with less flicker
    datnet stylize clip.mp4 painting.jpg -o stylized.mp4 --size 480 --smoothing 0.7

Stylizing is deterministic: the same command gives the same picture, so there is no --seed. Results
are upright. They keep the color profile, resolution (DPI) and transparency of the photograph where
the format supports them, but not its EXIF data, which may contain the location. Colors are computed
in sRGB: the most saturated colors of wider profiles are clipped, even where a mask leaves the
photograph unchanged.

exit status: 0 everything was stylized; 1 a file was left out or the command failed, with one line
that says why; 2 invalid command line; 70 internal error of DatNet; 128 + N ended by signal N.
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
        help="photographs or clips, then a painting unless --style is given",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=to_name,
        help="output file; or a folder, where results are named CONTENT__STYLE.png and the "
        "subfolders of a content folder are mirrored; or a pattern with {content}, {style} and "
        "{folder} (of the content), such as 'out/{folder}/{content}_{style}.jpg' (default: "
        "stylized.png, or the folder stylized). Formats: .png, .jpg, .webp, .tif, .bmp, .avif; "
        "for clips .mp4, .mov, .mkv, .webm. If photographs and clips are given together, those "
        "that the suffix of a pattern does not fit become .png or .mp4",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="overwrite existing results; otherwise a run with several results skips them. A "
        "single result is always written",
    )
    parser.add_argument(
        "--checkpoint",
        type=to_path,
        help="network.safetensors written by `datnet train`, or its run folder; a network that "
        "comes with DatNet, such as adain; a network published by its authors: microast, or a "
        "folder with its files; or a training-free method: wct, gatys, wct_vgg19, gatys_vgg19 "
        "(default: datnet_full)",
    )
    parser.add_argument(
        "--photorealistic",
        action="store_true",
        help="photorealistic style transfer, with a photograph as the style. Uses the CAP-VSTNet "
        "of --checkpoint, else cap_vstnet_photorealistic.safetensors in $DATNET_WEIGHTS",
    )
    parser.add_argument(
        "--steps",
        type=whole(1),
        help="for gatys: number of optimization steps; each is one forward and one backward pass "
        "through the encoder (default: 300)",
    )
    parser.add_argument(
        "--device", type=to_word, help="cpu, cuda, cuda:1, … (default: a GPU if available)"
    )
    parser.add_argument(
        "--dtype",
        choices=["float32", "bfloat16", "float16"],
        default="float32",
        help="precision of the convolutions: float32 (default), bfloat16 or float16; recent GPUs "
        "are much faster in 16 bits",
    )
    look = parser.add_argument_group("appearance and quality")
    look.add_argument(
        "--style",
        type=painting,
        action="append",
        metavar="FILE[:WEIGHT]",
        help="a painting and its weight (default: 1); can be repeated to mix paintings",
    )
    for each in explained():
        add_setting(look, each)
    look.add_argument(
        "--quality",
        type=whole(1, 100),
        help="compression quality, 1 to 100: JPEG and WebP (default: 95), AVIF (default: 75)",
    )
    look.add_argument(
        "--smoothing",
        type=real(0, 1, without_most=True),
        default=0.0,
        help="for clips, 0 to less than 1: reduces flicker by blending in previous frames where "
        "the clip does not change (default: 0)",
    )
    look.add_argument(
        "--crf",
        type=whole(0, 63),
        help="for clips, constant rate factor of the encoder; lower means better quality and "
        "larger files: 0 to 51 (default: 18), for .webm 0 to 63 (default: 24)",
    )
    parser.set_defaults(run=run)


def add_setting(group: argparse._ArgumentGroup, setting: Field[Any]) -> None:
    """Add the command-line option of a field of :class:`StylizeOptions`.

    Args:
        group: Group to add it to.
        setting: The field, which gives the name, the help and the limits.
    """
    details: dict[str, Any] = {}
    if isinstance(setting.default, bool):
        details = {"action": "store_true"}
    elif setting.name == "alpha":
        details = {"type": strength, "metavar": "ALPHA"}
    elif setting.name == "keep_colors":
        details = {"type": keep_colors, "nargs": "?", "const": KEEP_COLORS[0], "metavar": "WAY"}
    elif limits := setting.metadata["limits"]:
        number = whole if isinstance(limits[0], int) else real
        details = {"type": number(*limits)}
    elif choices := setting.metadata["choices"]:
        details = {"choices": choices}
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


def strength(text: str) -> float | str:
    """Convert the value of ``--alpha``: a number in [0, 1], "auto" or "auto:SHARE".

    Raises:
        argparse.ArgumentTypeError: If it is none of them.
    """
    if not text.startswith(AUTOMATIC):
        return real(0, 1)(text)
    try:
        StylizeOptions(alpha=text)
    except DatNetError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def keep_colors(text: str) -> str:
    """Check the value of ``--keep-colors``, which may be a file that follows the option.

    Raises:
        argparse.ArgumentTypeError: If it is no way to keep colors.
    """
    if text not in KEEP_COLORS:
        raise argparse.ArgumentTypeError(
            f'"{text}" is neither luminance nor histogram; if a file name follows, write '
            "--keep-colors=luminance"
        )
    return text


def painting(text: str) -> str:
    """Check that FILE in FILE[:WEIGHT] is not empty.

    Raises:
        argparse.ArgumentTypeError: If it is.
    """
    text = to_name(text)
    to_word(text.rpartition(":")[0] if ":" in text else text)
    return text


def run(arguments: argparse.Namespace) -> int:
    """Stylize each content with each style; with several results, continue after failures.

    Returns:
        1 if a file was left out, else 0.

    Raises:
        DatNetError: If the command line is wrong or the only result cannot be made.
    """
    from datnet.images.files import check_writable  # most of these import torch
    from datnet.stylize.batch import Batch
    from datnet.stylize.inputs import describe_left_out, find_inputs, parse_style
    from datnet.stylize.jobs import plan
    from datnet.stylize.photorealistic import photorealistic_file
    from datnet.stylize.prepared import with_open_pictures
    from datnet.stylize.stylizer import Stylizer

    weights: list[float] | None = None
    found: Inputs | None = None
    if arguments.style:
        names, searched = arguments.pictures, False
        paintings = [parse_style(text) for text in arguments.style]
        styles = [tuple(path for path, _ in paintings)]
        if any(weight is not None for _, weight in paintings):
            weights = [1.0 if weight is None else weight for _, weight in paintings]
    elif len(arguments.pictures) < 2 and (own := only_painting(arguments.checkpoint)):
        names, searched, styles = arguments.pictures, False, [(Path(own),)]
    elif len(arguments.pictures) < 2:
        raise DatNetError(
            f"only {arguments.pictures[0]} is given; a photograph and a painting are "
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
    searched_in = contents if found is None else [*contents, found]
    looked_past = list(dict.fromkeys(each for inputs in searched_in for each in inputs.left_out))
    for line in describe_left_out(looked_past):
        print(f"left out {line}", file=sys.stderr)
    also_read = [path for path in (arguments.mask, *(arguments.regions or ())) if path is not None]
    planned = plan(contents, styles, arguments.output, searched=searched, also_read=also_read)
    check_options(planned, arguments)
    skip_existing = planned.several and not arguments.overwrite
    to_do = [job for job in planned.jobs if not (skip_existing and job.output.exists())]
    if not to_do:
        print(f"nothing to do: {count(planned.jobs)} there already (--overwrite replaces them)")
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


def only_painting(checkpoint: Path | None) -> str | None:
    """Return the name of the painting that a network was trained for; None if it takes any.

    Raises:
        DatNetError: If it was trained for several, or does not exist.
    """
    from datnet.zoo.lookup import find_network
    from datnet.zoo.network_file import own_paintings

    names = list(own_paintings(find_network(checkpoint))) if checkpoint else []
    if len(names) > 1:
        raise DatNetError(
            f"{checkpoint} knows {len(names)} paintings; choose with --style: {', '.join(names)}"
        )
    return names[0] if names else None


def check_options(planned: Plan, arguments: argparse.Namespace) -> None:
    """Check that the options apply to the planned results.

    Args:
        planned: The planned results.
        arguments: The parsed command line.

    Raises:
        DatNetError: If an option does not apply.
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
        require_extra("video")
    if arguments.regions is not None and (clips or planned.several):
        raise DatNetError(
            "--regions apply to one photograph and one style; use a separate command for each pair"
        )
    if arguments.smoothing and not clips:
        raise DatNetError("--smoothing is for clips, but no content is a clip")
    if arguments.crf is not None and not clips:
        raise DatNetError(
            "--crf is for clips, but no content is a clip; use --quality for pictures"
        )
    if arguments.quality is not None and all(job.is_clip for job in jobs):
        raise DatNetError("--quality is for pictures; use --crf for clips")


def count(jobs: list[Job]) -> str:
    """Return "1 result is" or "N results are"."""
    return f"{len(jobs)} result{'s are' if len(jobs) != 1 else ' is'}"
