"""The base class of the training objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from datnet.networks.base import StyleTransferNetwork

NetworkType = TypeVar("NetworkType", bound=StyleTransferNetwork)


class Objective(nn.Module, ABC, Generic[NetworkType]):
    """Named loss terms of a method and their weights.

    An objective has no trainable parameters. If the network has no VGG, the objective takes a
    frozen encoder of its own as its first argument, ``encoder``.

    Args:
        weights: Weight of each term in the total loss. Terms of weight 0 need not be computed.

    Attributes:
        weights: The positive weights.
        compares_pairs: Names of the terms that compare the pairs of a batch with each other. Their
            mean over parts of a batch (several processes or micro-batches) is not their value for
            the full batch.

    Raises:
        ValueError: If a weight is negative.
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
        """Stylize a batch and compute the loss terms.

        Args:
            network: The network to train.
            content: Content images ``(B, 3, H, W)`` in [0, 1].
            style: Style images ``(B, 3, H, W)`` in [0, 1].

        Returns:
            One unweighted scalar for each name in ``weights``.
        """

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The total loss, the weighted sum of the terms."""
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
