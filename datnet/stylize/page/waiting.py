"""How long a visitor still waits for a picture, estimated from earlier results of this page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from math import log

from datnet.stylize.page.repeating import repeating

MOST_KEPT = 16
"""Number of results of a network that are remembered."""

SAME = 1.25
"""Estimates that differ by less than this factor are shown as one number."""


@dataclass(frozen=True)
class Work:
    """What a network computes for a result.

    Attributes:
        pixels: Millions of pixels that pass convolutions.
        products: Photograph times paintings, each in millions of pixels: the work of attention.
    """

    pixels: float
    products: float

    @classmethod
    def of(cls, photo: float, paintings: Sequence[float], alpha: float, passes: int = 1) -> Work:
        """Return the work for pictures of given numbers of pixels.

        Args:
            photo: Number of pixels of the result.
            paintings: Numbers of pixels of the paintings, as the network gets them.
            alpha: Strength in [0, 1]; below 1 the photograph attends to itself as well.
            passes: Number of results that a mask blends.
        """
        content, styles = photo / 1e6, sum(paintings) / 1e6
        itself = content * passes if alpha < 1 else 0.0
        return cls(content * (1 + passes) + styles, content * (styles + itself))


@dataclass(frozen=True)
class Seconds:
    """An estimate, from ``least`` to ``most`` seconds."""

    least: float
    most: float

    def __add__(self, other: Seconds) -> Seconds:
        """Return the estimate for both, one after the other."""
        return Seconds(self.least + other.least, self.most + other.most)

    def left(self, elapsed: float) -> str:
        """Say how much is left after ``elapsed`` seconds."""
        least, most = self.least - elapsed, self.most - elapsed
        if most <= 0:
            return f"longer than estimated, {in_words(elapsed)} so far"
        if least <= 0:
            return f"at most about {in_words(most)} left"
        if self.most <= SAME * self.least:
            return f"about {in_words((least + most) / 2)} left"
        return f"about {in_words(least)} to {in_words(most)} left"


class Durations:
    """Durations of the results of a page, from all threads, and estimates from them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.measured: dict[str, dict[Work, float]] = {}

    def add(self, way: str, work: Work, seconds: float) -> None:
        """Remember a duration, instead of an older one for the same work.

        Args:
            way: Network and kind of attention.
            work: What was computed.
            seconds: How long that took.
        """
        with self.lock:
            kept = self.measured.setdefault(way, {})
            kept.pop(work, None)
            kept[work] = seconds
            if len(kept) > MOST_KEPT:
                del kept[next(iter(kept))]

    def estimate(self, way: str, work: Work, attentive: bool) -> Seconds | None:
        """Estimate the duration of a result.

        The result nearest in size is scaled: convolutions with the number of pixels, attention
        with the product of pixels. How the time divides between both follows from a result of
        another size; before there is one, both bounds are returned.

        Args:
            way: Network and kind of attention.
            work: What will be computed.
            attentive: Whether the network has attention.

        Returns:
            The estimate; None before the first result.
        """
        with self.lock:
            measured = list(self.measured.get(way, {}).items())
        if not measured:
            return None
        by_distance = sorted(measured, key=lambda each: abs(log(each[0].pixels / work.pixels)))
        (nearest, seconds), *others = by_distance
        by_pixels = seconds * work.pixels / nearest.pixels
        if not attentive:
            return Seconds(by_pixels, by_pixels)
        by_products = seconds * work.products / nearest.products
        for other, others_seconds in others:
            least = seconds * other.pixels / nearest.pixels
            most = seconds * other.products / nearest.products
            if max(least, most) > SAME * min(least, most):
                share = min(max((others_seconds - least) / (most - least), 0.0), 1.0)
                found = by_pixels + share * (by_products - by_pixels)
                return Seconds(found, found)
        return Seconds(min(by_pixels, by_products), max(by_pixels, by_products))


class Waiting:
    """What the page says while the results of a request are made.

    Args:
        durations: Durations of earlier results.
        ways: Network and kind of attention of each result of the request, in order.
        attentive: Whether each of these networks has attention.
        progress: Called with the share that is done, in [0, 1], and ``desc``, a text.
    """

    def __init__(
        self,
        durations: Durations,
        ways: Sequence[str],
        attentive: Sequence[bool],
        progress: Callable[..., object],
    ) -> None:
        self.durations = durations
        self.ways = list(ways)
        self.attentive = list(attentive)
        self.progress = progress
        self.number = 0
        self.begin = time.monotonic()
        self.work: Work | None = None

    @contextmanager
    def telling(self, seconds: float = 1.0) -> Iterator[None]:
        """Keep the visitor informed within the block, which makes the next result.

        Args:
            seconds: Interval.
        """
        self.work, self.begin = None, time.monotonic()
        self.tell()
        # Gradio knows by its context variables whom the progress is for.
        with repeating(partial(copy_context().run, self.tell), seconds):
            yield

    def started(self, work: Work) -> None:
        """Take note that the pictures are read and the network runs."""
        self.work = work
        self.tell()

    def finished(self) -> float:
        """Remember how long the result took, turn to the next one, and return the seconds."""
        seconds = time.monotonic() - self.begin
        if self.work is not None:
            self.durations.add(self.ways[self.number], self.work, seconds)
        self.number += 1
        return seconds

    def left_out(self) -> None:
        """Turn to the next result; the current one is not made."""
        self.number += 1

    def tell(self) -> None:
        """Tell the visitor how the current result stands."""
        share, words = self.stands(time.monotonic() - self.begin)
        self.progress(share, desc=words)

    def stands(self, elapsed: float) -> tuple[float, str]:
        """Return the share in [0, 1] of the current result that is done, and what to say.

        Args:
            elapsed: Seconds since it began.
        """
        way, count = self.ways[self.number], len(self.ways)
        head = way if count == 1 else f"{way}, network {self.number + 1} of {count}"
        if self.work is None:
            return 0.0, f"{head}: reading the pictures"
        rest = zip(self.ways[self.number :], self.attentive[self.number :], strict=True)
        current, *later = [self.durations.estimate(way, self.work, each) for way, each in rest]
        if current is None:
            words = f"{in_words(elapsed)} so far; the time left is unknown before its first result"
            return 0.0, f"{head}: {words}"
        words = current.left(elapsed)
        known = [each for each in later if each is not None]
        if later and len(known) == len(later):
            words += f"; all networks: {sum(known, current).left(elapsed)}"
        share = 2 * elapsed / (current.least + current.most)
        return min(share, 0.99), f"{head}: {words}"


def in_words(seconds: float) -> str:
    """Return a duration in seconds, or from 90 of them on in minutes."""
    return f"{max(seconds, 0):.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
