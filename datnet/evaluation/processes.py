"""Measures the pairs of a table in several processes."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType
from typing import Any

import torch

from datnet.errors import DatNetError
from datnet.evaluation.measuring import Metrics
from datnet.evaluation.row import Evaluation, Outcome, Row, Task
from datnet.evaluation.targets import Targets
from datnet.images.kept import default_limit

_worker: dict[str, Any] = {}
"""The targets and the row of a worker process."""


class Processes:
    """Measures rows of a table on the CPU in several processes.

    Each process gets all pairs of some contents, so that a content is prepared in one process only.
    It has as many threads as this one, because the last digits of a result depend on the number of
    threads: all numbers of processes give the same values.

    Args:
        jobs: Number of processes.
        metrics: The metrics, on the CPU.
        size: Side of the pictures in pixels.
    """

    def __init__(self, jobs: int, metrics: Metrics, size: int) -> None:
        # Pickled to bytes here: the executor would put tensors into shared memory, which is small
        # in containers.
        start = pickle.dumps(metrics), size, torch.get_num_threads(), jobs
        self._executors = [
            ProcessPoolExecutor(
                1, mp_context=get_context("spawn"), initializer=_start, initargs=start
            )
            for _ in range(jobs)
        ]

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes, after the pairs that they are measuring."""
        for executor in self._executors:
            executor.shutdown(wait=False, cancel_futures=True)
        for executor in self._executors:
            executor.shutdown()

    def measure(self, evaluation: Evaluation, tasks: Sequence[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task as soon as it is there.

        Raises:
            DatNetError: If a process ended, for example because memory ran out.
        """
        row = pickle.dumps(evaluation)
        contents = list(dict.fromkeys(content for content, _ in evaluation.pairs))
        workers = {
            content: self._executors[number % len(self._executors)]
            for number, content in enumerate(contents)
        }
        needed = {workers[evaluation.pairs[task.number][0]] for task in tasks}
        started = [executor.submit(_begin, row) for executor in needed]
        pending: set[Future[Outcome]] = {
            workers[evaluation.pairs[task.number][0]].submit(_measure, task) for task in tasks
        }
        try:
            for start in started:
                start.result()
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise DatNetError(
                "a process of the evaluation ended, perhaps because memory ran out; what was "
                "measured is kept: run the same command again, with fewer --jobs"
            ) from error


def _start(metrics: bytes, size: int, threads: int, jobs: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends the others
    torch.set_num_threads(threads)
    loaded = pickle.loads(metrics)
    _worker["targets"] = Targets(loaded, size, limit=default_limit(processes=jobs))


def _begin(row: bytes) -> None:
    _worker["row"] = Row(pickle.loads(row), _worker["targets"])


def _measure(task: Task) -> Outcome:
    row: Row = _worker["row"]
    return row.measure(task)
