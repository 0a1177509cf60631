"""`datnet stylize`: paint photographs in the manner of paintings."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from datnet.errors import DatNetError

EXAMPLES = """\
examples:
  datnet stylize photo.jpg painting.jpg -o result.png
  datnet stylize photos/ paintings/ -o results/ --size 512
  datnet stylize photo.jpg painting.jpg --checkpoint microast
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "stylize",
        help="paint photographs in the manner of paintings",
        description="Paint every content image in the manner of every style image.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("content", type=Path, help="a photograph, or a folder of them")
    parser.add_argument("style", type=Path, help="a painting, or a folder of them")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("stylized.png"),
        help="the result's file; with a folder of contents or styles, the results' folder, where "
        "they are called CONTENT__STYLE.png (default: stylized.png, or the folder stylized)",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        help="a network.safetensors of `datnet train`, or a network that its authors published: "
        "microast, or a folder with its files (default: the one that comes with DatNet)",
    )
    parser.add_argument(
        "--alpha", type=float, default=1.0, help="strength of the style, 0 to 1 (default: 1)"
    )
    parser.add_argument(
        "--size", type=int, help="shorter side of the result (default: as the content)"
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, … (default: a GPU if there is one)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Paint all pairs; a file that cannot be read is reported and left out.

    Returns:
        1 if a file was left out, else 0.
    """
    from datnet.data.images import UnreadableImageError, save_image, saving_format  # imports torch
    from datnet.stylizer import Stylizer

    single = not (arguments.content.is_dir() or arguments.style.is_dir())
    pairs = [
        (content, style)
        for style in images(arguments.style)
        for content in images(arguments.content)
    ]
    outputs = [arguments.output] if single else output_files(pairs, arguments.output)
    if single:
        saving_format(arguments.output)
    stylizer = Stylizer(arguments.checkpoint, arguments.device)
    left_out: dict[Path, str] = {}
    work = tqdm(zip(pairs, outputs, strict=True), total=len(pairs), unit="image", disable=single)
    for (content, style), output in work:
        if left_out.keys() & {content, style}:
            continue
        try:
            save_image(stylizer(content, style, arguments.alpha, arguments.size), output)
        except UnreadableImageError as error:
            if single:
                raise
            left_out[error.path] = error.reason
    for path, reason in left_out.items():
        print(f"left out {path}: {reason}", file=sys.stderr)
    if single:
        print(f"wrote {arguments.output}")
    else:
        print(f"wrote {sum(path.exists() for path in outputs)} images to {outputs[0].parent}")
    return 1 if left_out else 0


def images(path: Path) -> list[Path]:
    """The file itself, or the images in a folder."""
    from datnet.data.images import find_images

    return find_images(path) if path.is_dir() else [path]


def output_files(pairs: list[tuple[Path, Path]], folder: Path) -> list[Path]:
    """A file for every pair, CONTENT__STYLE.png in ``folder``.

    Raises:
        DatNetError: If two pairs would have the same file.
    """
    if folder == Path("stylized.png"):
        folder = Path("stylized")
    files = [folder / f"{content.stem}__{style.stem}.png" for content, style in pairs]
    seen: dict[Path, tuple[Path, Path]] = {}
    for file, pair in zip(files, pairs, strict=True):
        if file in seen:
            raise DatNetError(
                f"{' and '.join(map(str, seen[file]))} would have the same result file {file} as "
                f"{' and '.join(map(str, pair))}; rename one of them"
            )
        seen[file] = pair
    return files
