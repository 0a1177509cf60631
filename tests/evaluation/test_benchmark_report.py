from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from datnet.evaluation.benchmark import (
    Benchmark,
    BenchmarkSettings,
    RunningCost,
)
from datnet.evaluation.benchmark_report import csv_text, format_seconds, plot, tables
from datnet.evaluation.peak_memory import (
    OUT_OF_MEMORY,
)
from tests.helpers.costly_networks import hungry

MIB = 2**20
CPU = torch.device("cpu")


@pytest.fixture
def report() -> dict:
    """Invented except for the machine, with one network that failed."""
    benchmark = Benchmark(
        [hungry("adain"), hungry("other")], BenchmarkSettings([64, 32], warmup=0, runs=2)
    )
    return benchmark.report(
        [
            RunningCost("adain", 32, [0.1, 0.3], [0.05, 0.05], 3 * MIB, "VmHWM"),
            RunningCost("other", 32, [0.2, 0.9], [0.1, 0.2], 5 * MIB, "VmHWM"),
            RunningCost("adain", 64, [0.4, 0.4], [0.2, 0.2], 12 * MIB, "VmHWM"),
            RunningCost("other", 64, problem=OUT_OF_MEMORY),
        ]
    )


def test_report_tables_and_csv(report: dict) -> None:
    assert json.loads(json.dumps(report)) == report
    assert report["settings"]["sizes"] == [32, 64]
    assert report["networks"]["other"]["parameters"] == 3
    assert report["networks"]["other"]["encoder"] is None
    assert report["machine"]["torch"] == torch.__version__
    assert [m["ratio_to_adain"] for m in report["measurements"]] == [1, 2.5, 1, None]

    text = tables(report)
    small, large = text.partition("32 × 32 pixels")[2].split("64 × 64 pixels")
    row = next(line for line in small.splitlines() if line.startswith("| other"))
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells == ["other", "0.550", "0.375 to 0.725", "0.150", "5", "2.50"]
    assert f"| {OUT_OF_MEMORY}" in large
    assert "a multiply-add is one" in text

    rows = list(csv.DictReader(io.StringIO(csv_text(report))))
    assert len(rows) == 4
    assert rows[1]["seconds"] == "0.55"
    assert rows[1]["seconds_runs"] == "0.2 0.9"
    assert rows[3]["seconds"] == ""
    assert rows[3]["problem"] == OUT_OF_MEMORY
    assert {row["torch"] for row in rows} == {torch.__version__}


def test_without_adain_there_are_no_ratios(report: dict) -> None:
    for measurement in report["measurements"]:
        measurement["ratio_to_adain"] = None
    assert "× AdaIN" not in tables(report).partition("M: millions")[0]


def test_plot_of_what_there_is(report: dict, tmp_path: Path) -> None:
    plot(report, tmp_path / "cost.png")
    assert Image.open(tmp_path / "cost.png").width > 1000
    plot(report, tmp_path / "cost.pdf")
    assert (tmp_path / "cost.pdf").read_bytes().startswith(b"%PDF")
    for measurement in report["measurements"]:
        measurement |= {"seconds": None, "peak_bytes": None, "problem": OUT_OF_MEMORY}
    plot(report, tmp_path / "nothing.png")
    assert (tmp_path / "nothing.png").exists()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.01234, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (1234.5, "1234")],
)
def test_seconds_have_three_digits(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
