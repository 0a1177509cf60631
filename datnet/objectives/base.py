"""What a training objective is to the training loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from datnet.networks.base import StyleTransferNetwork

NetworkType = TypeVar("NetworkType", bound=StyleTransferNetwork)


class Objective(nn.Module, ABC, Generic[NetworkType]):
    """Named loss terms of one method and their weights.

    It has nothing to train. The objective of a network without a VGG has a frozen encoder of its
    own and takes it as its first argument, ``encoder``.

    Args:
        weights: Weight of every term in the sum that is minimised. A term of weight 0 need not be
            computed.

    Attributes:
        compares_pairs: Names of the terms that compare the pairs of a batch with each other. Their
            mean over parts of a batch, as over several processes or micro-batches, is not their
            value on the whole batch.
    """

    compares_pairs: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, weights: dict[str, float]) -> None:
        super().__init__()
        for name, weight in weights.items():
            if weight < 0:
                raise ValueError(f"the weight of {name} is {weight}; it must not be negative")
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}

    @abstractmethod
    def terms(self, network: NetworkType, content: Tensor, style: Tensor) -> dict[str, Tensor]:
        """Paint a batch and compute the terms, each an unweighted scalar.

        Args:
            network: The network that is trained.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            One scalar for every name in ``weights``.
        """

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum that is minimised."""
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
