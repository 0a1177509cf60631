"""Worker processes for jobs of many items, some of which may crash or hang them.

Image decoders are large C programs that process untrusted data. So each process reports the item
that it begins. If it then dies or takes too long, it is replaced and the job is repeated, finally
without that item.
"""

from __future__ import annotations

import math
import multiprocessing
import signal
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any, Generic, Protocol, TypeVar

from datnet.errors import DatNetError

TRIES_OF_AN_ITEM = 2
"""An item that ended its process this often is left out; once may be the machine's fault."""
BEFORE_THE_FIRST = -1

Job = TypeVar("Job")
Result = TypeVar("Result")


class Begin(Protocol):
    """Reports each item, numbered from 0 in rising order, before work on it begins."""

    def __call__(self, item: int, *, timed: bool = True) -> None:
        """Report that an item begins.

        Args:
            item: Number of the item.
            timed: Whether the time limit applies; not, for instance, while the item is read.
        """


Work = Callable[[Job, Mapping[int, str], Begin], Result]
"""Does a job, given the items to leave out (with reasons) and the function that reports items.
It, the jobs and the results must be picklable."""


@dataclass
class _Task(Generic[Job]):
    job: Job
    excluded: dict[int, str] = field(default_factory=dict)
    ends: Counter[int] = field(default_factory=Counter)
    furthest: int = -1


def supervise(
    work: Work[Job, Result],
    jobs: Iterable[Job],
    *,
    processes: int,
    seconds: float,
    on_items: Callable[[int], object] = lambda count: None,
) -> Iterator[tuple[Job, Result]]:
    """Do jobs in worker processes.

    Args:
        work: Does a job.
        jobs: The jobs.
        processes: Number of processes, 1 or more.
        seconds: Time limit of an item while it is timed.
        on_items: Called with the number of newly begun items.

    Yields:
        Each job with its result, in order of completion.

    Raises:
        DatNetError: If ``work`` raises it, or processes end before they begin an item.
        RuntimeError: If ``work`` raises anything else.
    """
    waiting = deque(_Task(job) for job in jobs)
    workers: list[_Worker[Job]] = []
    try:
        for _ in range(min(processes, len(waiting))):
            workers.append(_Worker(work, waiting.popleft()))
        while busy := [worker for worker in workers if worker.task]:
            connection.wait([worker.connection for worker in busy], timeout=1)
            for worker in busy:
                yield from _attend(worker, waiting, seconds, on_items)
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()


def _attend(
    worker: _Worker[Job],
    waiting: deque[_Task[Job]],
    seconds: float,
    on_items: Callable[[int], object],
) -> Iterator[tuple[Job, Any]]:
    """Read a process's messages, then give it the next job or replace it."""
    task = worker.task
    assert task is not None
    try:
        while worker.connection.poll():
            kind, value = worker.connection.recv()
            if kind == "item":
                worker.item, timed = value
                worker.since = time.monotonic() if timed else math.inf
                if worker.item > task.furthest:
                    on_items(worker.item - task.furthest)
                    task.furthest = worker.item
            elif kind == "done":
                worker.give(waiting.popleft() if waiting else None)
                yield task.job, value
                return
            else:
                raise DatNetError(value) if kind == "problem" else RuntimeError(value)
    except (EOFError, ConnectionError):
        worker.process.join()
        code = worker.process.exitcode or 0
        how = f"signal {-code}, {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        if worker.item is None:
            task.ends[BEFORE_THE_FIRST] += 1
            if task.ends[BEFORE_THE_FIRST] == TRIES_OF_AN_ITEM:
                raise DatNetError(f"a worker process ended at once ({how})") from None
            worker.start(task)
            return
        _restart(worker, task, f"decoding it ends the process ({how})")
        return
    if worker.item is not None and time.monotonic() - worker.since > seconds:
        worker.process.kill()
        worker.process.join()
        _restart(worker, task, f"decoding it takes more than {seconds:g} seconds")


def _restart(worker: _Worker[Job], task: _Task[Job], reason: str) -> None:
    assert worker.item is not None
    task.ends[worker.item] += 1
    if task.ends[worker.item] == TRIES_OF_AN_ITEM:
        task.excluded[worker.item] = reason
    worker.start(task)


class _Worker(Generic[Job]):
    """A process and its current job."""

    def __init__(self, work: Work[Job, Any], task: _Task[Job]) -> None:
        self.work = work
        self.start(task)

    def start(self, task: _Task[Job]) -> None:
        # Not fork: the child of a process with threads may deadlock on locks that they held.
        context: Any
        if "forkserver" in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload([self.work.__module__])
        else:
            context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.work), daemon=True)
        self.process.start()
        theirs.close()
        self.give(task)

    def give(self, task: _Task[Job] | None) -> None:
        self.task = task
        self.item: int | None = None
        self.since = 0.0
        if task is not None:
            self.connection.send((task.job, task.excluded))


def _serve(ours: connection.Connection, work: Work[Any, Any]) -> None:
    """Do jobs until the supervising process ends this one or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervising process

    def begin(item: int, *, timed: bool = True) -> None:
        try:
            ours.send(("item", (item, timed)))
        except OSError:  # the supervising process was killed
            sys.exit(1)

    while True:
        try:
            job, excluded = ours.recv()
        except (EOFError, ConnectionError):
            return
        try:
            answer = ("done", work(job, excluded, begin))
        except DatNetError as error:
            answer = ("problem", str(error))
        except Exception:
            answer = ("bug", traceback.format_exc())
        ours.send(answer)
