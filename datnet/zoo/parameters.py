"""Parameter counts of networks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from torch import nn

from datnet.networks.base import EncoderDecoderNetwork, StyleTransferNetwork


@dataclass(frozen=True)
class ParameterCounts:
    """Number of parameters of a network.

    Attributes:
        total: All parameters, with the frozen encoder as far as the network uses it.
        trainable: Trainable parameters.
        by_part: All parameters by direct child module, such as ``encoder`` and ``decoder``.
    """

    total: int
    trainable: int
    by_part: dict[str, int]


def parameters(network: StyleTransferNetwork) -> ParameterCounts:
    """Count the parameters of a network.

    Stages of the encoder beyond ``encoder_depth`` are not counted: stylizing does not use them,
    although some objectives do.
    """
    unused: set[nn.Parameter] = set()
    if isinstance(network, EncoderDecoderNetwork):
        unused.update(network.encoder.stages[network.encoder_depth :].parameters())
    trainable = 0
    by_part: dict[str, int] = defaultdict(int)
    for name, parameter in network.named_parameters():
        if parameter not in unused:
            trainable += parameter.numel() if parameter.requires_grad else 0
            by_part[name.partition(".")[0]] += parameter.numel()
    return ParameterCounts(sum(by_part.values()), trainable, dict(by_part))
