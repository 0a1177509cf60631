from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from datnet.data.workers import TRIES_OF_AN_ITEM, Begin, supervise
from datnet.errors import DatNetError


def work(job: list[str], excluded: Mapping[int, str], begin: Begin) -> list[str | int]:
    """Each item determines what happens to the process that gets it."""
    results: list[str | int] = []
    for position, item in enumerate(job):
        begin(position, timed=item != "read")
        if position in excluded:
            results.append(excluded[position])
        elif item == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif item == "exit":
            os._exit(3)
        elif item == "hang":
            time.sleep(1000)
        elif item == "read":
            time.sleep(1)
            begin(position)
            results.append("done")
        elif item == "problem":
            raise DatNetError("the disk is full")
        elif item == "bug":
            raise KeyError("a mistake of ours")
        elif item.startswith("once:") and not Path(item[5:]).exists():
            Path(item[5:]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            results.append(len(item))
    return results


def dies_at_once(job: str, excluded: Mapping[int, str], begin: Begin) -> None:
    os._exit(1)


def done(jobs: list[list[str]], processes: int = 2, seconds: float = 60) -> dict[str, list]:
    results = supervise(work, jobs, processes=processes, seconds=seconds)
    return {" ".join(job): result for job, result in results}


@pytest.mark.parametrize("processes", [1, 3])
def test_all_jobs_are_done(processes: int) -> None:
    jobs = [["a" * i, "bb"] for i in range(7)]
    assert done(jobs, processes) == {f"{'a' * i} bb": [i, 2] for i in range(7)}


def test_item_that_ends_its_process_costs_itself_alone() -> None:
    results = done([["a", "crash", "bb", "exit", "ccc"], ["dddd"]])
    first, crash, second, exited, third = results.pop("a crash bb exit ccc")
    assert (first, second, third) == (1, 2, 3)
    assert crash == "decoding it ends the process (signal 11, SIGSEGV)"
    assert exited == "decoding it ends the process (status 3)"
    assert results == {"dddd": [4]}


def test_item_that_hangs_costs_itself_alone() -> None:
    assert done([["a", "hang", "bb"]], seconds=0.3) == {
        "a hang bb": [1, "decoding it takes more than 0.3 seconds", 2]
    }


def test_reading_is_not_timed() -> None:
    """It takes three times as long as an item may."""
    assert done([["a", "read"]], seconds=0.3) == {"a read": [1, "done"]}


def test_one_sudden_end_is_forgiven(tmp_path: Path) -> None:
    """As the kernel ends a process when others use up the memory."""
    assert TRIES_OF_AN_ITEM > 1
    job = [f"once:{tmp_path / 'mark'}"]
    assert done([job]) == {job[0]: [len(job[0])]}


def test_items_are_counted_once(tmp_path: Path) -> None:
    counts: list[int] = []
    jobs = [["a", "crash", "b", "c"], ["d", "e"]]
    for _ in supervise(work, jobs, processes=2, seconds=60, on_items=counts.append):
        pass
    assert sum(counts) == 6


def test_failures_are_passed_on() -> None:
    with pytest.raises(DatNetError, match="the disk is full"):
        done([["a", "problem"]])
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        done([["bug"]])
    with pytest.raises(DatNetError, match="ended at once"):
        list(supervise(dies_at_once, ["job"], processes=1, seconds=60))


def test_no_process_is_left_when_the_caller_stops() -> None:
    results = supervise(work, [["a"], ["hang"], ["hang"]], processes=3, seconds=60)
    assert next(results) == (["a"], [1])
    frame = results.gi_frame  # type: ignore[attr-defined]
    processes = [worker.process for worker in frame.f_locals["workers"]]
    assert len(processes) == 3
    results.close()  # type: ignore[attr-defined]
    assert all(process.exitcode is not None for process in processes)
