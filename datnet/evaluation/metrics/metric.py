"""Base classes of metrics, and the image that they measure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import numpy as np
from torch import Tensor, nn

from datnet.images.kept import bytes_of

ARROWS = {"high": "↑", "low": "↓", "zero": "→0"}

Computed = TypeVar("Computed")


class Picture:
    """An image with a cache of what metrics compute from it.

    Args:
        pixels: ``(1, 3, H, W)``, float RGB in [0, 1].
        networks: The networks that metrics use, by name.
    """

    def __init__(self, pixels: Tensor, networks: Mapping[str, nn.Module]) -> None:
        self.pixels = pixels
        self.networks = networks
        self._computed: dict[Callable[[Picture], Any], Any] = {}

    def once(self, compute: Callable[[Picture], Computed]) -> Computed:
        """Return ``compute(self)``, from the cache if it was computed before."""
        if compute not in self._computed:
            self._computed[compute] = compute(self)
        return self._computed[compute]

    def keep(self, compute: Callable[[Picture], Computed], value: Computed) -> None:
        """Put ``compute(self)``, which came along with something else, into the cache."""
        self._computed[compute] = value

    @property
    def nbytes(self) -> int:
        """Bytes of its pixels and of what was computed from them."""
        return bytes_of([self.pixels, *self._computed.values()])


class Column(ABC):
    """A column of result tables.

    Attributes:
        key: The name in files. Tables, dashboards and users' scripts depend on it.
        label: The name in tables.
        better: Whether high values, low values or values near zero are better.
        decimals: Decimals in tables; files have full precision.
        words: How the metric is measured, for the text above tables.
        source: Where it comes from.
        trained_on: Which networks have it as a training loss; empty if none has.
        networks: Functions that load the networks it uses, by name. Metrics that give the same name
            share the network.
    """

    key: str
    label: str
    better: Literal["high", "low", "zero"]
    decimals: int
    words: str
    source: str
    trained_on: str = ""
    networks: Mapping[str, Callable[[], nn.Module]] = {}

    @property
    def arrow(self) -> str:
        """Arrow for headings: ↑ if high values are better, ↓ if low ones are, →0 if 0 is best."""
        return ARROWS[self.better]

    def quality(self, value: float) -> float:
        """Return a number that is larger for better values, for ranking."""
        return {"high": value, "low": -value, "zero": -abs(value)}[self.better]


class Metric(Column):
    """A metric with one value per result, also a column of results.csv.

    ``words`` is a noun phrase. To add a metric, write a subclass in its own file and add an
    instance to :data:`datnet.evaluation.metrics.METRICS`.
    """

    def prepare_content(self, content: Picture) -> Any:
        """Compute what :meth:`measure` needs of a content image, once for all its results."""
        return None

    def prepare_style(self, style: Picture) -> Any:
        """Compute what :meth:`measure` needs of a style image, once for all its results."""
        return None

    @abstractmethod
    def measure(self, result: Picture, content: Any, style: Any) -> float:
        """Measure a result.

        Args:
            result: The result, of the content's size and rounded to 8 bits.
            content: From :meth:`prepare_content`, of its content image.
            style: From :meth:`prepare_style`, of its style image.

        Returns:
            The metric's value.
        """


class SetMetric(Column):
    """A metric with one value for all results of an evaluation; ``words`` is a sentence.

    Attributes:
        needs: Keys of the metrics of pairs that it is computed from.
    """

    needs: tuple[str, ...] = ()

    @abstractmethod
    def measure(
        self, results: np.ndarray, styles: np.ndarray, pairs: Mapping[str, Sequence[float]]
    ) -> float | None:
        """Measure all results.

        Args:
            results: ``(pairs, C)``, the embedding of each result, see
                :func:`datnet.evaluation.metrics.features.embedding`.
            styles: ``(pairs, C)``, the embedding of each pair's style.
            pairs: Values for each pair by the key of a :class:`Metric`.

        Returns:
            The value; None if it is undefined because there are too few pairs or a result contains
            a NaN.
        """
