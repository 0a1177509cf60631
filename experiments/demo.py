"""A first result: photographs of the sample set in the style of its paintings.

python -m experiments.demo                              # trains for some minutes, then stylizes
python -m experiments.demo --network FILE -o PICTURE    # stylizes with an existing network
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from datnet import Stylizer
from datnet.commands.arguments import Parser, to_path
from datnet.commands.process import run_command
from datnet.errors import DatNetError
from datnet.evaluation.figures import comparison_grid
from datnet.images.embedded import sample_images
from datnet.images.finding import find_images
from datnet.images.reading import read_image
from datnet.images.resizing import fit_square

RUN = Path("runs/sample/datnet_full/seed_1")
SIZE = 256


def main() -> None:
    """Train the last column of Table 3 in miniature, unless a network is given, and stylize."""
    parser = Parser(
        "python -m experiments.demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--network", type=to_path, help="a network.safetensors of `datnet train`")
    parser.add_argument("-o", "--output", type=to_path, default=Path("demo.png"))
    arguments = parser.parse_args()
    if arguments.network is None:
        training = [
            *(sys.executable, "-m", "datnet.training", "experiment=miniature"),
            *("model=datnet_full", f"run_dir={RUN}", "ckpt_path=last"),
        ]
        if subprocess.run(training, check=False).returncode:
            sys.exit("the training stopped, see above")
    try:
        draw(Stylizer(arguments.network or RUN / "network.safetensors"), arguments.output)
    except DatNetError as error:
        sys.exit(f"error: {error}")
    print(f"wrote {arguments.output}")


def draw(stylizer: Stylizer, output: Path) -> None:
    """Stylize each evaluation photograph of the sample set with one of its paintings.

    Args:
        stylizer: The network.
        output: Output file, ``.png`` or ``.pdf``.
    """
    sample = sample_images()
    title = f"{stylizer.description.name}, {stylizer.description.training['steps']} steps"
    rows = []
    for content, style in zip(
        find_images(sample.eval_content), find_images(sample.eval_style), strict=False
    ):
        photograph, painting = (fit_square(read_image(path), SIZE) for path in (content, style))
        rows.append([photograph, painting, stylizer(photograph, painting)])
    comparison_grid(rows, ["content", "style", title], path=output)


if __name__ == "__main__":
    run_command(main)
