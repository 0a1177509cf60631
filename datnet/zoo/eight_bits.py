"""Stores weights in 8 bits: symmetric, with a scale per output channel.

A weight ``NAME`` is stored as the int8 tensor ``NAME`` and the float32 tensor ``NAME.int8_scale``,
and read back as float32. The network still computes in floating point.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

SCALE_SUFFIX = ".int8_scale"

LARGEST = 127
"""Largest magnitude of an int8; -128 is not used, so that the range is symmetric."""


def in_eight_bits(
    tensors: Mapping[str, Tensor], sixteen: Collection[str] = ()
) -> dict[str, Tensor]:
    """Store the weights of a network in 8 bits.

    Args:
        tensors: A state dict. Tensors of two and more dimensions have their output channels first.
        sixteen: Parts of the network to store in float16, since they need more bits: first
            components of names, such as "attention3".

    Returns:
        Tensors for a file. One-dimensional ones, such as biases, stay as they are, since they are
        small and add directly to the activations.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or tensor.dim() < 2:
            stored[name] = tensor
        elif name.split(".")[0] in sixteen:
            stored[name] = tensor.half()
        else:
            stored[name], stored[name + SCALE_SUFFIX] = quantize(tensor)
    return stored


def quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round a weight to 8 bits.

    Args:
        weight: ``(O, …)``, floating point.

    Returns:
        The int8 weight of the same shape and its scale ``(O,)``. The error of each value is at most
        half of its channel's scale.
    """
    weight = weight.float()
    scale = weight.flatten(1).abs().amax(dim=1) / LARGEST
    scale = scale.clamp(min=torch.finfo(torch.float32).tiny)  # channels of zeros
    rounded = (weight / _per_channel(scale, weight)).round()
    return rounded.clamp(-LARGEST, LARGEST).to(torch.int8), scale


def from_eight_bits(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a file, 8-bit weights as float32; others stay as they are."""
    return {
        name: tensor.float() * _per_channel(stored[name + SCALE_SUFFIX], tensor)
        if name + SCALE_SUFFIX in stored
        else tensor
        for name, tensor in stored.items()
        if not name.endswith(SCALE_SUFFIX)
    }


def _per_channel(scale: Tensor, weight: Tensor) -> Tensor:
    """Shape a scale ``(O,)`` so that it broadcasts over a weight ``(O, …)``."""
    return scale.view(-1, *[1] * (weight.dim() - 1))
