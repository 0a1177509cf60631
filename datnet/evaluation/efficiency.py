"""Counts the multiply-adds of networks."""

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
    """Count the FLOPs of convolutions and matrix products that run in this context.

    The count depends neither on the version of torch nor on the device. Torch's counter only knows
    the fused attention kernels of some versions and devices (none on the CPU up to 2.14), so
    attention runs here as two plain matrix products. Convolutions run without Winograd.

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
    """Count the multiply-adds (MACs) of stylizing one image, encoding content and style included.

    The network runs once, in evaluation mode on its own device. Convolutions and matrix products
    are counted, including those of attention, see :func:`counted_products`; normalization, softmax,
    resizing and the like are not.

    The meta device would be faster, but it does not support autocast or networks that read values
    back (such as eigenvalues for WCT).

    Args:
        network: The network; its training mode is restored.
        height: Height of content and style in pixels.
        width: Width of content and style in pixels.

    Returns:
        The number of multiply-adds, each counted once.
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
