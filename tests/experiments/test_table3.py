from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from datnet.evaluation.markdown import aligned
from datnet.evaluation.metrics import METRICS
from datnet.evaluation.protocol import COLUMNS
from experiments.comparison import SCALES
from experiments.table3 import VARIANTS
from experiments.tables import mean_over_seeds, order

CHECKOUT = Path(__file__).parents[2]


def test_order_follows_the_direction_of_the_metric() -> None:
    ssim, psnr, lpips = METRICS[:3]
    assert order(ssim, [0.1, 0.2, 0.3]) == order(psnr, [10, 11, 12]) == "yes"
    assert order(lpips, [0.3, 0.2, 0.1]) == "yes"
    assert order(ssim, [0.1, 0.3, 0.2]) == order(lpips, [0.1, 0.2, 0.3]) == "no"
    assert order(ssim, [0.1, 0.1, 0.2]) == "no"


def test_mean_over_seeds_averages_pair_by_pair(tmp_path: Path) -> None:
    folders = []
    for seed, offset in ((1, 0.0), (2, 0.2)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        rows = [
            ",".join([content, style, *[str(value + offset)] * len(METRICS)])
            for content, style, value in (("a", "x", 0.1), ("a", "y", 0.3), ("b", "x", 0.5))
        ]
        (folder / "results.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
        folders.append(folder)
    estimate = mean_over_seeds(folders)["ssim"]
    assert estimate.mean == pytest.approx(0.4)
    assert estimate.count == 3
    assert estimate.ci95 is not None
    assert 0.2 <= estimate.ci95[0] <= 0.4 <= estimate.ci95[1] <= 0.6


def test_columns_are_aligned() -> None:
    lines = aligned([["", "long title"], ["row", "1"]]).splitlines()
    assert len({len(line) for line in lines}) == 1


@pytest.mark.slow
def test_table3(tmp_path: Path, experiment: Callable[..., str], small_overrides: list[str]) -> None:
    tiny = ["--scale", "sample", *small_overrides, "trainer.max_steps=1", "data.batch_size=1"]
    printed = experiment("table3", *tiny)
    assert "MINIATURE, NOT THE PAPER'S PROTOCOL" in printed
    assert "0.4697" in printed

    report = json.loads((tmp_path / "out" / "table3.json").read_text())
    assert report["scale"] == "sample"
    assert report["encoder"] == "vgg16"
    assert report["steps"] == 1
    assert report["seeds"] == [1]
    for name in VARIANTS:
        for metric in ("ssim", "psnr", "lpips_alex", "lpips_vgg"):
            estimate = report["variants"][name][metric]
            low, high = estimate["ci95"]
            assert low <= estimate["mean"] <= high
    assert report["paper"]["datnet_full"]["ssim"]["mean"] == 0.5950
    assert report["controls"]["identity"]["psnr"]["mean"] is None
    figure = Image.open(tmp_path / "out" / "figure7.png")
    assert figure.width > 5 * SCALES["sample"].size

    # Again: nothing is trained or measured a second time.
    networks = sorted((tmp_path / "out").glob("*/seed_1/network.safetensors"))
    written = [path.stat().st_mtime_ns for path in networks]
    assert len(written) == 3
    again = experiment("table3", *tiny)
    assert [path.stat().st_mtime_ns for path in networks] == written
    assert again.partition("# Table 3")[2] == printed.partition("# Table 3")[2]


def test_paper_scale_says_what_it_needs(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "experiments.table3", "--scale", "paper"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 1
    assert "--eval-content" in result.stderr
    assert "Traceback" not in result.stderr
