from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from PIL import Image

from datnet.errors import DatNetError
from datnet.evaluation import benchmark as benchmark_module
from datnet.evaluation import peak_memory
from datnet.evaluation.benchmark import Benchmark, Measurement, Settings, ratio, summary
from datnet.evaluation.benchmark_report import csv_text, format_seconds, plot, tables
from datnet.evaluation.candidates import Candidate, all_names, find_candidates, model_names
from datnet.evaluation.efficiency import counted_products
from datnet.evaluation.peak_memory import (
    OUT_OF_MEMORY,
    Peak,
    ResidentPeak,
    peak_in_new_process,
    peak_of_painting,
)
from datnet.networks.vgg import VggEncoder
from datnet.zoo.configs import CONFIG_DIR
from datnet.zoo.network_file import NetworkDescription, save_network
from tests.helpers.pixel_network import PixelNetwork, write_pixel_network

MIB = 2**20
CPU = torch.device("cpu")


def hungry(title: str = "hungry", megabytes: int = 0, **settings: object) -> Candidate:
    target = "tests.helpers.costly_networks.HungryNetwork"
    return Candidate(title, {"_target_": target, "megabytes": megabytes, **settings})


@pytest.fixture
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peaks of memory are measured in this process, which is quick and less exact."""

    def peak(candidate: Candidate, size: int, dtype: str, threads: int | None) -> Peak:
        return peak_of_painting(candidate.build(), size, CPU, dtype)

    monkeypatch.setattr(benchmark_module, "peak_in_new_process", peak)


# ------------------------------------------------------------------------------------- memory


def test_peak_memory_of_a_known_allocation() -> None:
    peak = peak_in_new_process(hungry(megabytes=200), 48, threads=1)
    assert peak.problem is None
    assert peak.bytes == pytest.approx(200 * MIB, rel=0.1)


def test_where_the_mark_cannot_be_set_back_growth_counts_from_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(path: Path, text: str) -> int:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "write_text", refuse)
    resident = ResidentPeak()
    assert resident.source == "ru_maxrss"
    assert resident.growth() >= 0


def test_a_process_that_is_killed_is_a_problem() -> None:
    peak = peak_in_new_process(hungry(large=64, then="kill"), 64)
    assert peak == Peak(problem=f"{OUT_OF_MEMORY} (killed)")


@pytest.mark.parametrize(
    ("status", "problem"),
    [(1, "failed: ArithmeticError: no"), (-signal.SIGSEGV, "ended by SIGSEGV")],
)
def test_a_process_that_fails_is_a_problem(
    status: int, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = subprocess.CompletedProcess([], status, "", "Traceback …\nArithmeticError: no\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: finished)
    assert peak_in_new_process(hungry(), 64) == Peak(problem=problem)


def test_the_process_gives_up_before_others_must_and_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: dict[str, str] = {}
    candidate = hungry(large=64, then="allocate")
    task = {"candidate": asdict(candidate), "size": 64, "dtype": "bfloat16", "threads": None}
    monkeypatch.setattr(sys, "argv", ["", json.dumps(task)])
    monkeypatch.setattr(
        Path, "write_text", lambda path, text: written.setdefault(str(path), text) and 1
    )
    peak_memory.main()
    assert written["/proc/self/oom_score_adj"] == "1000"
    assert json.loads(capsys.readouterr().out)["problem"] == OUT_OF_MEMORY


# -------------------------------------------------------------------------------------- turns


@pytest.mark.usefixtures("no_processes")
def test_networks_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[tuple[str, bool]] = []

    def take_turn(self: Benchmark, measurement: Measurement, timed: bool) -> None:
        order.append((measurement.network, timed))

    monkeypatch.setattr(Benchmark, "_take_turn", take_turn)
    Benchmark([hungry("a"), hungry("b")], Settings([32], warmup=1, runs=2)).measure(32)
    warmup, runs = [("a", False), ("b", False)], [("a", True), ("b", True)]
    assert order == [*warmup, *runs, *runs]


@pytest.mark.usefixtures("no_processes")
def test_both_times_of_every_run_are_there_and_exclude_the_style(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.helpers.costly_networks import HungryNetwork

    calls: list[str] = []
    timed: list[list[str]] = []
    for name in ("encode_content", "encode_style", "generate"):
        original = getattr(HungryNetwork, name)

        def noted(self: object, *arguments: object, name=name, original=original) -> object:
            calls.append(name)
            return original(self, *arguments)

        monkeypatch.setattr(HungryNetwork, name, noted)

    def seconds_of(paint, device: torch.device) -> float:
        calls.clear()
        paint()
        timed.append(list(calls))
        return float(len(timed))

    monkeypatch.setattr(benchmark_module, "seconds_of", seconds_of)
    (measurement,) = Benchmark([hungry()], Settings([32], runs=2)).measure(32)
    assert measurement.seconds == [1, 3]
    assert measurement.seconds_style_encoded == [2, 4]
    whole, style_encoded = timed[:2]
    assert sorted(whole) == ["encode_content", "encode_style", "generate"]
    assert style_encoded == ["encode_content", "generate"]


@pytest.mark.usefixtures("no_processes")
def test_a_network_that_fails_hinders_no_other_and_is_not_tried_larger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    candidates = [
        hungry("sound"),
        hungry("greedy", large=48, then="allocate"),
        hungry("broken", large=64, then="raise"),
    ]
    benchmark = Benchmark(candidates, Settings([48, 64], warmup=0, runs=1))
    assert benchmark.costs["broken"].multiply_adds is None
    monkeypatch.setattr(
        benchmark_module, "peak_in_new_process", lambda *_: Peak(1, "VmHWM")
    )  # found out only when timed
    for size, problems in (
        (48, [None, OUT_OF_MEMORY, None]),
        (
            64,
            [
                None,
                f"not tried: {OUT_OF_MEMORY} at 48²",
                "failed: ArithmeticError: not for large pictures",
            ],
        ),
    ):
        measurements = benchmark.measure(size)
        assert [m.problem for m in measurements] == problems
        assert [len(m.seconds) for m in measurements] == [int(p is None) for p in problems]


def test_ratios_are_taken_within_a_turn() -> None:
    adain = Measurement("adain", 256, seconds=[1.0, 10.0, 2.0])
    other = Measurement("other", 256, seconds=[3.0, 20.0, 8.0])  # 3, 2 and 4 times
    larger = Measurement("other", 512, seconds=[1.0, 1.0, 1.0])
    failed = Measurement("failed", 256, problem=OUT_OF_MEMORY)
    measurements = [adain, other, larger, failed]
    assert ratio(other, measurements) == 3
    assert ratio(adain, measurements) == 1
    assert ratio(larger, measurements) is None
    assert ratio(failed, measurements) is None


def test_summary_of_runs() -> None:
    assert summary([]) is None
    values = summary([4.0, 1.0, 2.0, 3.0, 5.0])
    assert values is not None
    assert (values["lower_quartile"], values["median"], values["upper_quartile"]) == (2, 3, 4)
    assert values["runs"] == [4, 1, 2, 3, 5]


# ------------------------------------------------------------------------------------- report


@pytest.fixture
def report() -> dict:
    """Made up but for the machine, with one network that failed."""
    benchmark = Benchmark([hungry("adain"), hungry("other")], Settings([64, 32], warmup=0, runs=2))
    return benchmark.report(
        [
            Measurement("adain", 32, [0.1, 0.3], [0.05, 0.05], 3 * MIB, "VmHWM"),
            Measurement("other", 32, [0.2, 0.9], [0.1, 0.2], 5 * MIB, "VmHWM"),
            Measurement("adain", 64, [0.4, 0.4], [0.2, 0.2], 12 * MIB, "VmHWM"),
            Measurement("other", 64, problem=OUT_OF_MEMORY),
        ]
    )


def test_report_tables_and_csv(report: dict) -> None:
    assert json.loads(json.dumps(report)) == report
    assert report["settings"]["sizes"] == [32, 64]
    assert report["networks"]["other"]["parameters"] == 1
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


# ---------------------------------------------------------------------------- names and values


def test_candidates_by_name_and_by_file(tmp_path: Path) -> None:
    file = write_pixel_network(tmp_path / "network.safetensors")
    same_name = write_pixel_network(tmp_path / "other.safetensors")
    found = find_candidates(["sanet", "microast", str(file), str(same_name)])
    assert [each.title for each in found] == ["sanet", "microast", str(file), str(same_name)]
    assert found[0].encoder == "vgg19"
    assert find_candidates([str(file)])[0].title == "pixel"
    assert {each.encoder for each in find_candidates(["sanet", str(file)], "vgg16")} == {"vgg16"}


def test_all_of_conf_model_can_be_benchmarked() -> None:
    assert model_names() == sorted(path.stem for path in (CONFIG_DIR / "model").iterdir())
    titles = [candidate.title for candidate in find_candidates(model_names())]
    assert titles == model_names()


def test_of_a_method_that_optimises_a_few_steps_are_measured() -> None:
    gatys, wct, vgg16 = find_candidates(["gatys", "wct", "gatys_vgg19"], "vgg16")
    assert gatys.title == "gatys, 3 steps"
    assert gatys.network["steps"] == 3
    assert vgg16.title == "gatys_vgg19, 3 steps"
    assert (wct.title, wct.encoder) == ("wct", "vgg16")
    assert find_candidates(["wct"])[0].encoder == "vgg19", "beside the networks of conf/model"
    assert {"wct", "gatys"} <= set(all_names())


@pytest.mark.usefixtures("no_processes")
def test_an_optimisation_can_be_measured(
    encoder: VggEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It computes gradients although measuring switches them off."""
    monkeypatch.setattr(benchmark_module, "COUNTED_SIZE", 64)
    benchmark = Benchmark(find_candidates(["gatys"], "vgg16"), Settings([32], warmup=0, runs=1))
    (measurement,) = benchmark.measure(32)
    assert measurement.problem is None
    assert measurement.seconds[0] > 0
    # Content and style encoded, and three steps forward and backward, are eight passes and Grams.
    with counted_products() as counter:
        encoder(torch.rand(1, 3, 64, 64))
    cost = benchmark.costs["gatys, 3 steps"].multiply_adds
    assert cost == pytest.approx(8 * counter.get_total_flops() / 2, rel=0.1)


def test_names_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DatNetError, match=r"did you mean datnet_full\?"):
        find_candidates(["adain", "datnet_ful"])
    with pytest.raises(DatNetError, match="names are: adain"):
        find_candidates(["xyz"])
    with pytest.raises(DatNetError, match="adain is given twice"):
        find_candidates(["adain", "sanet", "adain"])
    (tmp_path / "notes.safetensors").write_text("no tensors")
    with pytest.raises(DatNetError, match="no network file"):
        find_candidates([str(tmp_path / "notes.safetensors")])


def test_nothing_that_a_file_names_is_called(tmp_path: Path) -> None:
    made = tmp_path / "made"
    path = tmp_path / "network.safetensors"
    target = {"_target_": "os.mkdir", "path": str(made)}
    save_network(PixelNetwork(), NetworkDescription("x", target, {}), path)
    with pytest.raises(DatNetError, match=r"os\.mkdir is no style transfer network"):
        Benchmark(find_candidates([str(path)]), Settings([48]))
    assert not made.exists()


@pytest.mark.parametrize(
    "values",
    [{"sizes": [256, 31]}, {"sizes": [4097]}, {"runs": 0}, {"warmup": -1}, {"threads": 0}],
)
def test_values_that_are_out_of_range(values: dict) -> None:
    with pytest.raises(DatNetError, match="|".join(values).removesuffix("s")):
        Settings(**values)


def test_building_leaves_random_numbers_as_they_are() -> None:
    state = torch.get_rng_state()
    first, second = (find_candidates(["microast"])[0].build() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(map(torch.equal, first.parameters(), second.parameters()))
