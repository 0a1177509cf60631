"""3 × 3 convolutions on the CPU with a quarter of the multiplications.

Winograd's minimal filtering F(4 × 4, 3 × 3) (Lavin and Gray, Fast Algorithms for Convolutional
Neural Networks, CVPR 2016) computes 4 × 4 outputs from a tile of 6 × 6 inputs with 36 products per
pair of channels instead of 144. Here all steps are matrix products: the three transforms are
products with the Kronecker squares of the paper's matrices, and between them is one product over
the channels for each of the 36 elements of a tile. cuDNN has such algorithms; PyTorch's CPU
convolutions do not.

``I`` and ``O`` are the numbers of input and output channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.utils.weak import WeakTensorKeyDictionary

FEWEST_CHANNELS = 128
"""With fewer channels the transforms cost more than the products they save."""

FEWEST_TILES = 64
"""With fewer tiles the transform of the weights costs more than it saves."""

NUMBERS_AT_ONCE = 2**22
"""Elements of transformed tiles per step: 16 MiB, so that most of them stay in the cache."""


def _kronecker_square(matrix: list[list[float]]) -> Tensor:
    rows = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(rows, rows).float()


INPUT_TRANSFORM = _kronecker_square(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
WEIGHT_TRANSFORM = _kronecker_square(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
OUTPUT_TRANSFORM = _kronecker_square(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]
)


_switched_off = ContextVar("_switched_off", default=False)
_frozen: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


@contextmanager
def switched_off() -> Iterator[None]:
    """Context in which no convolution uses Winograd: to count multiply–adds and for comparisons."""
    token = _switched_off.set(True)
    try:
        yield
    finally:
        _switched_off.reset(token)


def pays(maps: Tensor, weight: Tensor) -> bool:
    """Whether :func:`convolution` applies and is faster than PyTorch's.

    Args:
        maps: Padded maps ``(B, I, H + 2, W + 2)``.
        weight: ``(O, I, 3, 3)``.

    Returns:
        False on other devices than the CPU, for other dtypes than float32, under autocast, in
        compilation, and for few channels or tiles.
    """
    if maps.device.type != "cpu" or maps.dtype != torch.float32 or weight.dtype != torch.float32:
        return False
    if torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling() or _switched_off.get():
        return False
    batch, _, height, width = maps.shape
    tiles = batch * _tiles(height) * _tiles(width)
    return min(weight.shape[:2]) >= FEWEST_CHANNELS and tiles >= FEWEST_TILES


def convolution(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``conv2d(maps, weight, bias)``, to about 1e-5 of the largest output.

    Args:
        maps: Padded maps ``(B, I, H + 2, W + 2)``, float32, on the CPU.
        weight: ``(O, I, 3, 3)``.
        bias: ``(O)``.

    Returns:
        ``(B, O, H, W)`` in channels-last memory format.
    """
    _, _, height, width = maps.shape
    missing = 4 * _tiles(width) + 2 - width, 4 * _tiles(height) + 2 - height
    if any(missing):
        maps = F.pad(maps, (0, missing[0], 0, missing[1]))
    maps = maps.contiguous(memory_format=torch.channels_last)
    outputs = _Tiles.apply(maps, _transformed(weight), bias)
    if any(missing):  # a copy, since the following layers work in place
        outputs = outputs[:, :, : height - 2, : width - 2].clone()
    return outputs


def _transformed(weight: Tensor) -> Tensor:
    """Transform weights ``(O, I, 3, 3)`` to ``(36, I, O)``.

    Training uses the transform of a frozen weight repeatedly, so it is cached for the lifetime of
    the weight. Inference does not cache: the transform takes four times the memory of the weight.
    """
    # Tensors made in torch.inference_mode have no version counter.
    if weight.requires_grad or weight.is_inference():
        return _transform(weight)
    state = weight.data_ptr(), weight._version
    kept_state, kept = _frozen.get(weight, (None, None))
    if kept is not None and kept_state == state:
        return kept
    transformed = _transform(weight)
    if torch.is_grad_enabled():
        _frozen[weight] = state, transformed
    return transformed


def _transform(weight: Tensor) -> Tensor:
    squares = weight.permute(2, 3, 1, 0).reshape(9, -1)
    return (WEIGHT_TRANSFORM @ squares).view(36, weight.shape[1], weight.shape[0])


def _tiles(padded_side: int) -> int:
    return -(-(padded_side - 2) // 4)


class _Tiles(torch.autograd.Function):
    """Convolution with transformed weights ``(36, I, O)``, a few rows of tiles at a time."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
        batch, channels, height, width = maps.shape
        rows, columns, out_channels = _tiles(height), _tiles(width), weights.shape[2]
        image, channel, row, column = maps.stride()
        tiles = maps.as_strided(
            (6, 6, batch, rows, columns, channels),
            (row, column, image, 4 * row, 4 * column, channel),
            maps.storage_offset(),
        )
        outputs = torch.empty(
            (batch, out_channels, 4 * rows, 4 * columns), memory_format=torch.channels_last
        )
        squares = outputs.permute(0, 2, 3, 1).view(batch, rows, 4, columns, 4, out_channels)
        step = max(1, NUMBERS_AT_ONCE // (36 * batch * columns * max(channels, out_channels)))
        kept = []
        for top in range(0, rows, step):
            some = tiles[:, :, :, top : top + step].reshape(36, -1)
            some = (INPUT_TRANSFORM @ some).view(36, -1, channels)
            if ctx.needs_input_grad[1]:
                kept.append(some)
            products = OUTPUT_TRANSFORM @ torch.bmm(some, weights).view(36, -1)
            products = products.view(4, 4, batch, -1, columns, out_channels)
            torch.add(products.permute(2, 3, 0, 4, 1, 5), bias, out=squares[:, top : top + step])
        ctx.save_for_backward(weights, *kept)
        ctx.step, ctx.shape = step, maps.shape
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Apply the transposed transforms in reverse order."""
        weights, *kept = ctx.saved_tensors
        of_maps, of_weights, of_bias = ctx.needs_input_grad
        batch, channels, height, width = ctx.shape
        rows, columns, out_channels = _tiles(height), _tiles(width), weights.shape[2]
        squares = gradients.permute(0, 2, 3, 1).reshape(batch, rows, 4, columns, 4, out_channels)
        sums = weights.new_zeros(batch, rows + 1, 4, columns + 1, 4, channels) if of_maps else None
        weight_gradient = None
        for number, top in enumerate(range(0, rows, ctx.step)):
            end = min(rows, top + ctx.step)
            products = squares[:, top:end].permute(2, 4, 0, 1, 3, 5).reshape(16, -1)
            products = (OUTPUT_TRANSFORM.T @ products).view(36, -1, out_channels)
            if of_weights and weight_gradient is None:
                weight_gradient = torch.bmm(kept[number].mT, products)
            elif weight_gradient is not None:
                weight_gradient.baddbmm_(kept[number].mT, products)
            if sums is None:
                continue
            some = INPUT_TRANSFORM.T @ torch.bmm(products, weights.mT).view(36, -1)
            tiles = some.view(6, 6, batch, end - top, columns, channels).permute(2, 3, 0, 4, 1, 5)
            # The last two rows and columns of a tile are the first ones of the next tile.
            sums[:, top:end, :, :-1] += tiles[:, :, :4, :, :4]
            sums[:, top:end, :, 1:, :2] += tiles[:, :, :4, :, 4:]
            sums[:, top + 1 : end + 1, :2, :-1] += tiles[:, :, 4:, :, :4]
            sums[:, top + 1 : end + 1, :2, 1:, :2] += tiles[:, :, 4:, :, 4:]
        map_gradient = None
        if sums is not None:
            whole = sums.view(batch, 4 * (rows + 1), 4 * (columns + 1), channels)
            map_gradient = whole[:, :height, :width].permute(0, 3, 1, 2)
        bias_gradient = gradients.sum((0, 2, 3)) if of_bias else None
        return map_gradient, weight_gradient, bias_gradient
