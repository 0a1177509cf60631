from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from datnet.evaluation import peak_memory
from datnet.evaluation.peak_memory import (
    OUT_OF_MEMORY,
    Peak,
    ResidentPeak,
    peak_in_new_process,
)
from tests.helpers.costly_networks import hungry

MIB = 2**20
CPU = torch.device("cpu")


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
