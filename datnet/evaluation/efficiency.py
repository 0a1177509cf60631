"""Costs of networks: multiply-adds."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from datnet.networks.base import StyleTransferNetwork
from datnet.networks.ops import winograd


@torch.inference_mode()
def multiply_adds(network: StyleTransferNetwork, height: int, width: int) -> int:
    """Count the multiply-adds of painting one image, encoding content and style included.

    The network runs once, in evaluation mode on its own device, and torch's own counter notes its
    convolutions and matrix products, those of attention too. A multiply-add (MAC) counts as one;
    torch counts it as two FLOPs. Normalisation, softmax, resizing and the like are not counted, and
    convolutions count as the plain sums that they are, however they are computed.

    The meta device, which computes nothing and would be faster, knows no autocast, and a network
    that reads numbers back (such as eigenvalues for WCT) cannot run on it.

    Args:
        network: Its training mode is as before afterwards.
        height: Height of content and style in pixels.
        width: Their width.
    """
    training = network.training
    network.eval()
    generator = torch.Generator().manual_seed(0)
    device = next(network.parameters()).device
    content, style = torch.rand(2, 1, 3, height, width, generator=generator).to(device)
    try:
        with FlopCounterMode(display=False) as counter, winograd.switched_off():
            network(content, style)
    finally:
        network.train(training)
    return counter.get_total_flops() // 2
