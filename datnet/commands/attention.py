"""`datnet attention`: show where in the painting a network looks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from datnet.commands.arguments import to_path, to_word, whole
from datnet.errors import require_extra

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from datnet.stylize.attention import Attention

DESCRIPTION = """\
Show where in the painting a network looks, at each level of attention (DatNet, SANet, MANet,
StyTr2).

Without --at: correspondence maps. Each position of the photograph gets the color of the position in
the painting that has the largest attention weight; the painting in the same colors is the legend.
Beside it: which parts of the painting are used, and the entropy of the attention weights (dark:
concentrated on few positions, bright: spread over many).

With --at X,Y: attention maps. For each point of the photograph, the attention weights as heat over
the painting; a ring marks the largest one.

With --gates: the gates of the channel attention (ECA): which channels are raised and lowered.
"""

EXAMPLES = """\
examples:
  datnet attention photo.jpg painting.jpg                        # attention.png
  datnet attention photo.jpg painting.jpg --at 320,200 --at 50%,90% -o points.png
  datnet attention photo.jpg painting.jpg --checkpoint sanet --size 256 -o sanet.pdf
  datnet attention photo.jpg painting.jpg --gates -o gates.png

in Python: Stylizer().attention("photo.jpg", "painting.jpg") returns the arrays.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's arguments."""
    parser = commands.add_parser(
        "attention",
        help="show where in the painting a network looks",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photograph", type=to_path, metavar="PHOTO", help="the photograph")
    parser.add_argument("painting", type=to_path, metavar="PAINTING", help="the painting")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--at",
        type=point,
        action="append",
        metavar="X,Y",
        help="a point of the photograph, from its upper left corner, in pixels or percent; can be "
        "given several times",
    )
    what.add_argument(
        "--gates", action="store_true", help="show the gates of the channel attention instead"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=to_path,
        default=Path("attention.png"),
        help="figure to write, *.png or *.pdf (default: attention.png)",
    )
    parser.add_argument(
        "--checkpoint",
        type=to_path,
        help="network.safetensors written by `datnet train`, or its run folder; or a network that "
        "comes with DatNet, such as sanet (default: datnet_full)",
    )
    parser.add_argument(
        "--size",
        type=whole(32, 4096),
        help="shorter side of the photograph in pixels (default: its own, but at most 512). Time "
        "grows with its fourth power",
    )
    parser.add_argument(
        "--style-size",
        type=whole(32, 4096),
        help="shorter side of the painting in pixels (default: its own, but at most that of the "
        "photograph)",
    )
    parser.add_argument(
        "--device", type=to_word, help="cpu, cuda, cuda:1, … (default: a GPU if available)"
    )
    parser.set_defaults(run=run)


def point(text: str) -> tuple[str, str]:
    """Check a point ``X,Y``, each in pixels or, with ``%``, in percent.

    Raises:
        argparse.ArgumentTypeError: If it is not one.
    """
    x, _, y = text.partition(",")
    for part in (x, y):
        try:
            value = float(part.removesuffix("%"))
        except ValueError:
            value = -1.0
        most = 100 if part.endswith("%") else float("inf")
        if not 0 <= value < most:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a point X,Y in pixels, such as 320,200, or in percent from 0% "
                "to below 100%, such as 50%,25%"
            )
    return x, y


def run(arguments: argparse.Namespace) -> int:
    """Compute attention or gates and write the figure."""
    require_extra("figures")
    from datnet.errors import DatNetError
    from datnet.evaluation.figures import comparison_grid  # these import torch
    from datnet.images.files import check_writable
    from datnet.images.opening import open_picture
    from datnet.stylize.gates_figure import gates_figure
    from datnet.stylize.stylizer import Stylizer

    output: Path = arguments.output
    if output.suffix.lower() not in (".png", ".pdf"):
        raise DatNetError(f"{output}: a figure is written as .png or .pdf; change the suffix")
    check_writable([output])
    photograph, _ = open_picture(arguments.photograph, "content")
    points = [fraction(arguments.photograph, each, photograph.size) for each in arguments.at or ()]
    stylizer = Stylizer(arguments.checkpoint, arguments.device)
    pictures = photograph, arguments.painting, arguments.size, arguments.style_size
    if arguments.gates:
        gates = stylizer.channel_gates(*pictures)
        names = f"{arguments.photograph.name} and {arguments.painting.name}"
        gates_figure(gates, f"channel attention of {stylizer.description.name}, {names}", output)
    elif points:
        comparison_grid(**attention_panels(stylizer.attention(*pictures), points), path=output)
    else:
        comparison_grid(**correspondence_panels(stylizer.attention(*pictures)), path=output)
    print(f"wrote {output}")
    return 0


def fraction(path: Path, at: tuple[str, str], size: tuple[int, int]) -> tuple[float, float]:
    """Convert a point to fractions of the photograph's width and height.

    Args:
        path: The photograph, for the message.
        at: From :func:`point`.
        size: Width and height of the photograph in pixels.

    Returns:
        Two numbers in [0, 1).

    Raises:
        DatNetError: If the point is outside.
    """
    from datnet.errors import DatNetError

    x, y = (
        float(part[:-1]) / 100 if part.endswith("%") else float(part) / side
        for part, side in zip(at, size, strict=True)
    )
    if not (x < 1 and y < 1):
        raise DatNetError(
            f"--at {','.join(at)}: {path} has {size[0]} × {size[1]} pixels; the point is outside"
        )
    return x, y


def attention_panels(attention: Attention, points: list[tuple[float, float]]) -> dict:
    """Arguments of comparison_grid: a row per point, a column per level.

    Args:
        attention: The attention.
        points: Points in fractions of the photograph.
    """
    import numpy as np

    from datnet.stylize.attention_pictures import heat_over, marked

    rows, captions = [], []
    width, height = attention.photograph.size
    for number, (x, y) in enumerate(points, 1):
        place, label = (x * width, y * height), str(number) if len(points) > 1 else ""
        row = [
            marked(picture, *place, label) for picture in (attention.photograph, attention.result)
        ]
        notes: list[str | None] = [f"at {place[0]:.0f}, {place[1]:.0f}", None]
        for level in attention.levels:
            weights = level.weights([place])[0]
            largest = np.unravel_index(weights.argmax(), weights.shape)
            peak_x, peak_y = ((int(each) + 0.5) * level.stride for each in largest[::-1])
            heat = marked(heat_over(attention.painting, weights, level.stride), peak_x, peak_y)
            row.append(fit_height(heat, height))
            notes.append(f"largest {weights.max():.0%}, {effective(weights)} positions")
        rows.append(row)
        captions.append(notes)
    return {
        "rows": rows,
        "column_titles": ["photograph", "result", *(level.name for level in attention.levels)],
        "row_titles": [f"point {number}" for number in range(1, len(points) + 1)],
        "captions": captions,
    }


def correspondence_panels(attention: Attention) -> dict:
    """Arguments of comparison_grid: the pictures in the first row, then a row per level."""
    import numpy as np

    from datnet.stylize.attention_pictures import (
        correspondence_map,
        entropy_map,
        legend,
        share_map,
    )

    photograph, painting = attention.photograph, attention.painting
    rows = [[photograph, fit_height(legend(painting), photograph.height), attention.result]]
    captions: list[list[str | None]] = [[None, "color of each position", None]]
    for level in attention.levels:
        found = level.correspondence()
        count = found.share.size
        rows.append(
            [
                correspondence_map(photograph, level, found),
                fit_height(share_map(painting, level, found), photograph.height),
                entropy_map(level, found, photograph.size),
            ]
        )
        captions.append(
            [
                "correspondence map",
                f"{effective(found.share)} of {count} positions",
                f"entropy {found.entropy.mean():.2g} of {np.log2(count):.3g} bits",
            ]
        )
    return {
        "rows": rows,
        "column_titles": ["photograph", "painting", "result"],
        "row_titles": ["pictures", *(level.name for level in attention.levels)],
        "captions": captions,
    }


def effective(weights: np.ndarray) -> str:
    """Effective number of positions: 2 to the power of the entropy of weights that sum to 1."""
    import numpy as np

    positive = weights[weights > 0].astype(np.float64)
    count = float(np.exp(-(positive * np.log(positive)).sum()))
    return f"{count:.1f}" if count < 10 else f"{count:.0f}"


def fit_height(picture: Image.Image, height: int) -> Image.Image:
    """Resize a picture of the painting to the height of the photograph's."""
    return picture.resize((round(picture.width * height / picture.height), height))
