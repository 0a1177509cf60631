"""Networks whose cost is known, and networks that fail, for tests of the benchmark."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

import torch
from torch import Tensor

from datnet.evaluation.candidates import Candidate
from tests.helpers.pixel_network import PixelNetwork


class HungryNetwork(PixelNetwork):
    """Returns the content, after taking a fixed amount of memory for a moment.

    From ``large`` pixels on it does something else: "raise" an error, ask for more memory than
    there is ("allocate"), or be killed ("kill").
    """

    def __init__(self, megabytes: int, large: int = 10**9, then: str = "raise") -> None:
        super().__init__()
        self.megabytes = megabytes
        self.large = large
        self.then = then

    def generate_mixed(
        self,
        content_features: Sequence[Tensor],
        styles: Sequence[Sequence[Tensor]],
        weights: Sequence[float],
        size: Sequence[int],
        alpha: float | Tensor = 1.0,
    ) -> Tensor:
        (content,) = content_features
        # More for larger pictures alone, as the benchmark paints a small one before it measures.
        if size[0] > 32:
            torch.ones(self.megabytes * 2**20, dtype=torch.uint8)
        if size[0] >= self.large:
            if self.then == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.then == "allocate":
                torch.empty(2**60)
            raise ArithmeticError("not for large pictures")
        return content + self.tint


def hungry(title: str = "hungry", megabytes: int = 0, **settings: object) -> Candidate:
    """A network that takes memory, as it is measured."""
    target = "tests.helpers.costly_networks.HungryNetwork"
    return Candidate(title, {"_target_": target, "megabytes": megabytes, **settings})
