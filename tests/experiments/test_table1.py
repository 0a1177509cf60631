from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from datnet.evaluation.metrics import METRICS
from experiments.paper import TABLE_1, TABLE_2, TABLE_3, TITLES
from experiments.tables import rank_correlation, ranks


def test_ranks_follow_the_direction_of_the_metric() -> None:
    ssim, _, lpips = METRICS[:3]
    assert ranks(ssim, [0.1, 0.3, 0.2]) == [3, 1, 2]
    assert ranks(lpips, [0.1, 0.3, 0.2]) == [1, 3, 2]
    assert ranks(ssim, [0.1, 0.3, 0.3]) == [3, 1.5, 1.5]


def test_rank_correlation() -> None:
    assert rank_correlation([1, 2, 3, 4], [1, 2, 3, 4]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 2], [1, 2]) is None
    assert rank_correlation([2, 2, 2], [1, 2, 3]) is None


def test_the_papers_tables_agree_with_each_other() -> None:
    assert TABLE_1["datnet_full"] == TABLE_3["datnet_full"]
    assert list(TITLES) == list(TABLE_1) == list(TABLE_2)


@pytest.mark.slow
def test_table1_and_what_is_drawn_from_it(
    tmp_path: Path, experiment: Callable[..., str], small_overrides: list[str]
) -> None:
    tiny = [*small_overrides, "trainer.max_steps=1"]
    printed = experiment("table1", *tiny)
    assert "MINIATURE, NOT THE PAPER'S PROTOCOL" in printed
    for title in (*TITLES.values(), "identity", "style copy", "histogram match"):
        assert f"| {title} " in printed

    report = json.loads((tmp_path / "out" / "table1.json").read_text())
    assert list(report["networks"]) == list(TITLES)
    for metrics in report["networks"].values():
        low, high = metrics["ssim"]["ci95"]
        assert low <= metrics["ssim"]["mean"] <= high
    for metric in ("ssim", "psnr", "lpips_alex"):
        ranking = report["rankings"][metric]
        assert sum(ranking["ours"].values()) == sum(range(1, 8))
        assert -1 <= ranking["spearman"] <= 1
    assert report["rankings"]["ssim"]["paper"]["datnet_full"] == 1
    assert report["efficiency"]["microast"]["parameters"] == pytest.approx(0.471987)

    networks = sorted((tmp_path / "out").glob("*/seed_1/network.safetensors"))
    written = [path.stat().st_mtime_ns for path in networks]
    assert len(written) == len(TITLES)
    experiment("tradeoff", *tiny)
    assert [path.stat().st_mtime_ns for path in networks] == written
    tradeoff = json.loads((tmp_path / "out" / "tradeoff.json").read_text())
    for title, model in zip(TITLES.values(), TITLES, strict=True):
        points = tradeoff["networks"][title]
        assert len(points) == len(tradeoff["alphas"])
        assert points[-1]["ssim"]["mean"] == report["networks"][model]["ssim"]["mean"]
    for figure in ("figure5", "figure6"):
        picture = Image.open(tmp_path / "out" / f"{figure}.png")
        assert picture.width > 9 * 192
        assert (tmp_path / "out" / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "out" / "tradeoff.png").exists()


@pytest.mark.slow
def test_table1_of_pretrained_networks_takes_what_there_is(
    tmp_path: Path, experiment: Callable[..., str], shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published MicroAST weights alone: a row of numbers, dashes for the rest."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "microast").symlink_to((shared / "golden" / "microast").resolve())
    monkeypatch.setenv("DATNET_WEIGHTS", str(weights))
    printed = experiment("table1", "--scale", "pretrained")
    rows = {line.split("|")[1].strip(): line for line in printed.splitlines() if "|" in line}
    assert "–" not in rows["MicroAST"]
    assert rows["SANet"].count("–") == 3
