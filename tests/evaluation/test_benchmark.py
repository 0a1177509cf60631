from __future__ import annotations

import pytest
import torch

from datnet.evaluation import benchmark as benchmark_module
from datnet.evaluation.benchmark import (
    Benchmark,
    BenchmarkSettings,
    RunningCost,
    quartiles_of,
    ratio,
)
from datnet.evaluation.peak_memory import (
    OUT_OF_MEMORY,
    Peak,
)
from tests.helpers.costly_networks import hungry

MIB = 2**20
CPU = torch.device("cpu")


@pytest.mark.usefixtures("no_processes")
def test_networks_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[tuple[str, bool]] = []

    def take_turn(self: Benchmark, measurement: RunningCost, timed: bool) -> None:
        order.append((measurement.network, timed))

    monkeypatch.setattr(Benchmark, "_take_turn", take_turn)
    Benchmark([hungry("a"), hungry("b")], BenchmarkSettings([32], warmup=1, runs=2)).measure(32)
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
    (measurement,) = Benchmark([hungry()], BenchmarkSettings([32], runs=2)).measure(32)
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
    benchmark = Benchmark(candidates, BenchmarkSettings([48, 64], warmup=0, runs=1))
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
    adain = RunningCost("adain", 256, seconds=[1.0, 10.0, 2.0])
    other = RunningCost("other", 256, seconds=[3.0, 20.0, 8.0])  # 3, 2 and 4 times
    larger = RunningCost("other", 512, seconds=[1.0, 1.0, 1.0])
    failed = RunningCost("failed", 256, problem=OUT_OF_MEMORY)
    measurements = [adain, other, larger, failed]
    assert ratio(other, measurements) == 3
    assert ratio(adain, measurements) == 1
    assert ratio(larger, measurements) is None
    assert ratio(failed, measurements) is None


def test_quartiles_of_runs() -> None:
    assert quartiles_of([]) is None
    values = quartiles_of([4.0, 1.0, 2.0, 3.0, 5.0])
    assert values is not None
    assert (values["lower_quartile"], values["median"], values["upper_quartile"]) == (2, 3, 4)
    assert values["runs"] == [4, 1, 2, 3, 5]
