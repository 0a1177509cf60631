"""`make demo`: a first picture of DatNet on this machine, in some minutes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from datnet import Stylizer
from datnet.data.images import find_images, fit_square, read_image
from datnet.data.sample import sample_images
from datnet.errors import DatNetError
from datnet.evaluation.figures import comparison_grid

RUN = Path("runs/table3_sample/datnet_full/seed_1")
OUTPUT = Path("demo.png")
SIZE = 256


def main() -> None:
    """Train the miniature of Table 3's last column, unless it is there, and paint with it."""
    training = [
        *(sys.executable, "-m", "datnet.training.run", "experiment=table3_sample"),
        *("model=datnet_full", f"run_dir={RUN}", "ckpt_path=last"),
    ]
    if subprocess.run(training, check=False).returncode:
        sys.exit("the training stopped, see above")
    try:
        stylizer = Stylizer(RUN / "network.safetensors")
        sample = sample_images()
        rows = []
        for content, style in zip(
            find_images(sample.eval_content), find_images(sample.eval_style), strict=False
        ):
            photograph, painting = (fit_square(read_image(p), SIZE) for p in (content, style))
            rows.append([photograph, painting, stylizer(photograph, painting)])
        comparison_grid(rows, ["content", "style", "DatNet, minutes old"], path=OUTPUT)
    except DatNetError as error:
        sys.exit(f"error: {error}")
    print(f"wrote {OUTPUT}")


if __name__ == "__main__":
    main()
