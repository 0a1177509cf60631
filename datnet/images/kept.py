"""A cache that is limited by the memory that its values take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from datnet.devices import memory_bytes

MOST_BYTES = 3 * 2**30
"""Largest limit of one cache."""

SHARE_OF_MEMORY = 1 / 8
"""Largest share of the machine's memory that one cache takes."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class FirstThatFit(Generic[Key, Value]):
    """A cache that keeps the values that come first, as many as fit, and besides them the last one.

    Tables and batches go through their pictures again and again in the same order. A cache that
    drops the least recently used value would then always drop the one that is used next.

    Args:
        limit: Bytes that the values may take; the last one may exceed it.
        size: Returns the bytes of a value. Values may grow after they were added.
    """

    def __init__(self, limit: int, size: Callable[[Value], int]) -> None:
        self.limit = limit
        self._size = size
        self._values: dict[Key, Value] = {}

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made by ``make`` if it is not kept."""
        if key not in self._values:
            while self._values and sum(map(self._size, self._values.values())) > self.limit:
                self._values.popitem()
            self._values[key] = make()
        return self._values[key]


def default_limit(device: torch.device | str = "cpu", processes: int = 1) -> int:
    """Return the limit in bytes of a cache.

    Args:
        device: Where the values are.
        processes: Number of processes with a cache of their own.
    """
    device = torch.device(device)
    memory = memory_bytes()
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
    most = MOST_BYTES if memory is None else min(MOST_BYTES, int(memory * SHARE_OF_MEMORY))
    return most // processes


def bytes_of(value: Any) -> int:
    """Return the bytes of all tensors and arrays in a value and in its lists, tuples and dicts.

    An object that occurs several times counts once.
    """
    return sum({id(each): each.nbytes for each in _arrays(value)}.values())


def _arrays(value: Any) -> Iterator[Tensor | np.ndarray]:
    if isinstance(value, Tensor | np.ndarray):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _arrays(each)
    elif isinstance(value, dict):
        yield from _arrays(list(value.values()))
