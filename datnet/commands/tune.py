"""`datnet tune`: adapt a network to a painting of one's own."""

from __future__ import annotations

import argparse
from pathlib import Path

from datnet.commands.arguments import real, to_path, to_word, whole
from datnet.errors import DatNetError

DESCRIPTION = """\
Adapt a network to one painting, or a few, in minutes. The result stylizes in the manner of these
paintings only, and better than a network for any painting:
  datnet stylize photo.jpg --checkpoint mystyle.safetensors

A preview beside the output (mystyle.preview.jpg) shows content | painting | result and is drawn
again every minute. Tuning ends when the preview no longer changes, or after --minutes. Ctrl-C ends
it, too; what is learnt until then is written.
"""

EXAMPLES = """\
examples:
  datnet tune painting.jpg -o mystyle.safetensors
  datnet tune painting.jpg -o mystyle.safetensors --minutes 30 --photos holidays/
  datnet tune monet.jpg hokusai.jpg -o two.safetensors
  datnet stylize photo.jpg --style monet.jpg --checkpoint two.safetensors
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "tune",
        help="adapt a network to a painting of your own, in minutes",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pictures", type=to_path, nargs="+", metavar="PAINTING", help="paintings")
    parser.add_argument(
        "-o",
        "--output",
        type=to_path,
        default=Path("tuned.safetensors"),
        help="the network to write, .safetensors (default: tuned.safetensors)",
    )
    parser.add_argument(
        "--begin",
        type=to_word,
        default="adain",
        metavar="NETWORK",
        help="the network to begin with: whatever `stylize --checkpoint` takes and is trained; or "
        "johnson, a small network from scratch, which is fast but needs hours (default: adain)",
    )
    parser.add_argument(
        "--photos",
        type=to_path,
        metavar="FOLDER",
        help="photographs to learn with (default: those that come with DatNet)",
    )
    parser.add_argument(
        "--minutes",
        type=real(0, 1e6, without_least=True),
        default=10.0,
        help="longest duration (default: 10)",
    )
    parser.add_argument(
        "--steps", type=whole(1), help="number of steps, which end it even before --minutes"
    )
    parser.add_argument(
        "--size", type=whole(64, 1024), default=256, help="side of the crops (default: 256)"
    )
    parser.add_argument(
        "--device", type=to_word, help="cpu, cuda, cuda:1, … (default: a GPU if available)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Tune a network and say where it is.

    Raises:
        DatNetError: If a file cannot be read or written, or a setting does not fit.
    """
    from datnet.images.files import check_writable  # most of these import torch
    from datnet.training.tuning import Settings, tune

    paintings = [Path(each) for each in arguments.pictures]
    output: Path = arguments.output
    if output.suffix != ".safetensors":
        raise DatNetError(f"{output}: the file name must be *.safetensors")
    check_writable([output])
    settings = Settings(
        begin=arguments.begin,
        photos=arguments.photos,
        minutes=arguments.minutes,
        steps=arguments.steps,
        size=arguments.size,
        device=arguments.device,
    )
    tune(paintings, output, settings)
    style = "" if len(paintings) == 1 else f"--style {paintings[0].name} "
    print(f"wrote {output}: datnet stylize photo.jpg {style}--checkpoint {output}")
    return 0
