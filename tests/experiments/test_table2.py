from __future__ import annotations

import json
from pathlib import Path

import pytest

from datnet.evaluation import benchmark as benchmark_module
from datnet.evaluation.benchmark import Benchmark, BenchmarkSettings, RunningCost
from datnet.evaluation.candidates import Candidate, all_names, find_candidates
from datnet.evaluation.peak_memory import Peak
from experiments import table2, table2_rows
from experiments.paper import TABLE_2, TITLES

PIXELS = {"_target_": "tests.helpers.pixel_network.PixelNetwork"}


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    """Two networks of the paper and another one, replaced by fast ones."""
    monkeypatch.setattr(benchmark_module, "peak_in_new_process", lambda *_: Peak(2**20, "VmHWM"))
    monkeypatch.setattr(benchmark_module, "multiply_adds", lambda *_: 10**9)
    candidates = [Candidate(title, PIXELS) for title in ("datnet_full", "adain", "new")]
    return Benchmark(candidates, BenchmarkSettings([32, 48], warmup=0, runs=1))


def cells(table: str, first: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith(f"| {first} ")]
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_the_papers_growth_and_ratios() -> None:
    ratios = table2_rows.papers_ratios("datnet_full")
    assert ratios["growth"] == pytest.approx(7.6, abs=0.05)  # the paper's text: 7.6 times
    assert ratios["256"] == pytest.approx(0.101 / 0.039)
    assert table2_rows.papers_ratios("adain")["512"] == 1
    assert set(table2_rows.papers_ratios("new").values()) == {None}
    assert all(len(row) == 4 for row in TABLE_2.values())


def test_one_network_has_a_second_row_with_fast_attention() -> None:
    rows = table2.with_fast_row([Candidate(title, PIXELS) for title in ("adain", "datnet_full")])
    assert [row.attention for row in rows] == ["exact", "exact", "fast"]
    assert table2.title(rows[2].title) == "DatNet, fast attention"


def test_every_network_has_a_row_or_is_the_same_as_one_that_has() -> None:
    names = table2.table_names()
    assert names[:7] == list(TITLES)
    assert sorted(names) == sorted(all_names())
    distinct, same = table2.distinct_networks(find_candidates(names))
    assert same["datnet_dual"] == "datnet_full"
    rest = [name for name in names if name not in same]
    assert [each.title.partition(",")[0] for each in distinct] == rest


def test_titles() -> None:
    assert table2_rows.title("datnet_full") == "DatNet"
    assert table2_rows.title("stytr2") == "StyTr²"
    assert table2_rows.title("gatys, 3 steps") == "Gatys, 3 steps"
    assert table2_rows.title("mine, or not") == "mine, or not"


def test_rows_beside_the_papers(benchmark: Benchmark) -> None:
    report = {
        **benchmark.report(
            [
                RunningCost("datnet_full", 256, [2.0], [1.5], 2**21, "VmHWM"),
                RunningCost("adain", 256, [1.0], [0.5], 2**20, "VmHWM"),
                RunningCost("new", 256, [3.0], [2.5], 2**20, "VmHWM"),
                RunningCost("datnet_full", 512, [9.0], [8.0], 2**23, "VmHWM"),
                RunningCost("adain", 512, [4.0], [2.0], 2**22, "VmHWM"),
                RunningCost("new", 512, problem="out of memory"),
            ]
        ),
        "same_network": {"datnet_dual": "datnet_full"},
    }
    report["settings"]["sizes"] = [256, 512]
    text = table2.describe(report)
    size, time, memory = (text.split("\n## ")[i] for i in (1, 2, 3))
    assert cells(size, "DatNet") == ["DatNet", "0.00", "0.00", "26.71", "1.00", "82.97"]
    assert cells(size, "new")[3::2] == ["–", "–"]
    assert cells(time, "DatNet") == [
        *("DatNet", "2.00", "0.101", "9.00", "0.767", "4.50", "7.59"),
        *("2.00", "2.59", "2.25", "5.44"),
    ]
    assert cells(time, "new") == ["new", "3.00", "–", "–", "–", "–", "–", "3.00", "–", "–", "–"]
    assert cells(memory, "DatNet") == ["DatNet", "2", "8", "1.50", "8.00"]
    assert "`datnet_dual` has no row" in text
    assert "out of memory" in text
    assert "13.74 M" in text


def test_sizes_that_were_not_measured_are_dashes(benchmark: Benchmark) -> None:
    report = {**benchmark.report([]), "same_network": {}}
    assert set(cells(table2.aligned(table2.time_rows(report)), "new")[1:]) == {"–"}


@pytest.mark.parametrize(
    ("commit", "measured_again"), [("abc", [48]), ("abc-dirty", [32, 48]), (None, [32, 48])]
)
def test_interrupted_it_goes_on_with_what_is_missing(
    benchmark: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    commit: str | None,
    measured_again: list[int],
) -> None:
    monkeypatch.setattr("datnet.provenance.commit", lambda: commit)
    sizes: list[int] = []
    broken_off = False

    def measure(self: Benchmark, size: int) -> list[RunningCost]:
        if size == 48 and not broken_off:
            raise KeyboardInterrupt
        sizes.append(size)
        return [RunningCost(each.title, size, [1.0], [1.0]) for each in self.candidates]

    monkeypatch.setattr(Benchmark, "measure", measure)
    with pytest.raises(KeyboardInterrupt):
        table2.measure_missing(benchmark, tmp_path / "unfinished.json")
    broken_off = True
    sizes.clear()
    measurements = table2.measure_missing(benchmark, tmp_path / "unfinished.json")
    assert sizes == measured_again
    assert [each.size for each in measurements] == [32] * 3 + [48] * 3

    # Other settings: nothing is reused.
    sizes.clear()
    other = Benchmark(benchmark.candidates, BenchmarkSettings([32, 48], warmup=0, runs=2))
    table2.measure_missing(other, tmp_path / "unfinished.json")
    assert sizes == [32, 48]


def test_table2_from_the_command_line(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table2, "find_candidates", lambda *_: benchmark.candidates[1:2])
    command = ["--sizes", "48", "32", "--runs", "1", "--device", "cpu", "--output", str(tmp_path)]
    table2.make_table(table2.argument_parser().parse_args(command))
    report = json.loads((tmp_path / "table2.json").read_text())
    assert [m["size"] for m in report["measurements"]] == [32, 48]
    assert report["measurements"][0]["seconds"]["median"] > 0
    assert (tmp_path / "table2.md").read_text().startswith("# Table 2")
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"table2.{suffix}").stat().st_size > 1000
    assert not (tmp_path / "unfinished.json").exists()
