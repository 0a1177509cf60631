"""Differences between the weights of trainings that should be identical.

    python -m experiments.measurements.determinism

Trains datnet_full for a few steps on the embedded sample set, then again, with other numbers of
workers, threads and processes, and with channels last. Prints the difference of each to the first.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from tqdm import tqdm

from datnet.evaluation.markdown import aligned

OVERRIDES = (
    *("model=datnet_full", "data.crop_size=64", "data.short_side=96", "data.batch_size=4"),
    *("data.num_workers=0", "data.validation_pairs=1", "final_metrics=false", "trainer=cpu"),
    *("trainer.max_steps=5", "trainer.enable_progress_bar=false"),
)
VARIANTS: dict[str, tuple[tuple[str, ...], str]] = {
    "the same again": ((), "1"),
    "3 workers": (("data.num_workers=3",), "1"),
    "2 processes with half the batch": (
        ("data.batch_size=2", "trainer.devices=2", "trainer.strategy=ddp"),
        "1",
    ),
    "2 threads": ((), "2"),
    "channels last": (("channels_last=true",), "1"),
}
"""Overrides and the number of threads of each variant."""


def train(folder: Path, overrides: tuple[str, ...], threads: str) -> torch.Tensor:
    """Train in a new process.

    Args:
        folder: The run folder.
        overrides: Settings besides :data:`OVERRIDES`.
        threads: Number of threads.

    Returns:
        All weights in one vector, in float64.
    """
    subprocess.run(
        [sys.executable, "-m", "datnet.training", *OVERRIDES, *overrides, f"run_dir={folder}"],
        env=os.environ | {"OMP_NUM_THREADS": threads},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    weights = load_file(folder / "network.safetensors")
    return torch.cat([weights[name].double().flatten() for name in sorted(weights)])


def main() -> None:
    """Train, compare, print."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    rows = [["compared with one thread, no workers", "largest difference", "mean", "beyond 1e-5"]]
    with tempfile.TemporaryDirectory() as temporary:
        first = train(Path(temporary) / "first", (), "1")
        for number, (title, (overrides, threads)) in enumerate(tqdm(VARIANTS.items(), unit="run")):
            other = train(Path(temporary) / str(number), overrides, threads)
            difference = (other - first).abs()
            rows.append(
                [
                    title,
                    f"{difference.max():.1e}" if difference.any() else "none",
                    f"{difference.mean():.1e}",
                    f"{100 * (difference > 1e-5).double().mean():.2f} %",
                ]
            )
    print(aligned(rows))


if __name__ == "__main__":
    main()
