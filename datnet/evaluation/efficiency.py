"""Costs of networks: multiply-adds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from datnet.networks.base import StyleTransferNetwork
from datnet.networks.ops import winograd


@contextmanager
def counted_products() -> Iterator[FlopCounterMode]:
    """Count the FLOPs of convolutions and matrix products of what runs in this context.

    What is counted depends neither on the version of torch nor on the device: torch's counter knows
    the fused attention kernels of some versions and devices only (none of a CPU up to 2.14), so
    attention runs here as the two plain matrix products that it is; and convolutions count as the
    plain sums that they are, however they are computed elsewhere.

    Yields:
        The counter; a multiply-add counts as two FLOPs.
    """
    with (
        FlopCounterMode(display=False) as counter,
        winograd.switched_off(),
        sdpa_kernel(SDPBackend.MATH),
    ):
        yield counter


@torch.inference_mode()
def multiply_adds(network: StyleTransferNetwork, height: int, width: int) -> int:
    """Count the multiply-adds of painting one image, encoding content and style included.

    The network runs once, in evaluation mode on its own device, and its convolutions and matrix
    products are counted, those of attention too, see :func:`counted_products`. A multiply-add (MAC)
    counts as one. Normalisation, softmax, resizing and the like are not counted.

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
        with counted_products() as counter:
            network(content, style)
    finally:
        network.train(training)
    return counter.get_total_flops() // 2
