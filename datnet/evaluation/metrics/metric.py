"""What a metric is, and the picture that it measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from torch import Tensor, nn

ARROWS = {"high": "↑", "low": "↓", "zero": "→0"}

Computed = TypeVar("Computed")


class Picture:
    """One image, and what metrics compute of it: each thing once, however many need it.

    Args:
        pixels: ``(1, 3, H, W)``, float RGB in [0, 1].
        networks: The networks that metrics compute with, by name.
    """

    def __init__(self, pixels: Tensor, networks: Mapping[str, nn.Module]) -> None:
        self.pixels = pixels
        self.networks = networks
        self._computed: dict[Callable[[Picture], Any], Any] = {}

    def once(self, compute: Callable[[Picture], Computed]) -> Computed:
        """What ``compute`` makes of this picture; kept, so that the next caller gets the same."""
        if compute not in self._computed:
            self._computed[compute] = compute(self)
        return self._computed[compute]


class Column(ABC):
    """A column of tables.

    Attributes:
        key: The name in files. Tables, dashboards and other people's scripts depend on it.
        label: The name in tables.
        better: Which values are better: the high ones, the low ones, or those near zero.
        decimals: Decimals in tables; files hold full precision.
        words: How it is measured, for the text above tables.
        networks: What it computes with: from a name to a function that loads the network. Metrics
            that give the same name share the network.
    """

    key: str
    label: str
    better: Literal["high", "low", "zero"]
    decimals: int
    words: str
    networks: Mapping[str, Callable[[], nn.Module]] = {}

    @property
    def arrow(self) -> str:
        """Sign for headings: ↑ if high values are better, ↓ if low ones are, →0 if 0 is best."""
        return ARROWS[self.better]

    def quality(self, value: float) -> float:
        """A number that is larger for better values, to rank them by."""
        return {"high": value, "low": -value, "zero": -abs(value)}[self.better]


class Metric(Column):
    """One number for each result: a column of results.csv too. Its ``words`` are a noun phrase.

    A new metric is a subclass in a file of its own and an instance in
    :data:`datnet.evaluation.metrics.METRICS`.
    """

    def prepare_content(self, content: Picture) -> Any:
        """What :meth:`measure` needs of a content image: computed once, kept for its results."""
        return None

    def prepare_style(self, style: Picture) -> Any:
        """What :meth:`measure` needs of a style image: computed once, kept to the end."""
        return None

    @abstractmethod
    def measure(self, result: Picture, content: Any, style: Any) -> float:
        """Measure a result.

        Args:
            result: Of the content's size, with the 256 levels of a saved image.
            content: What :meth:`prepare_content` made of its content image.
            style: What :meth:`prepare_style` made of its style image.
        """


class SetMetric(Column):
    """One number for all results of an evaluation. Its ``words`` are a sentence."""

    @abstractmethod
    def measure(
        self, results: np.ndarray, styles: np.ndarray, pairs: Mapping[str, Sequence[float]]
    ) -> float | None:
        """Measure all results.

        Args:
            results: ``(pairs, C)``, the embedding of each result, see
                :func:`datnet.evaluation.metrics.features.embedding`.
            styles: ``(pairs, C)``, that of each pair's style.
            pairs: By the key of a :class:`Metric`: its value for each pair.

        Returns:
            None where it is undefined: there are too few pairs or a result holds a NaN.
        """
