"""Operations that are deterministic on GPUs only with deterministic algorithms."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def same_with_deterministic_algorithms(
    function: Callable[[Tensor], Tensor], maps: Tensor
) -> Tensor:
    """Assert that result and gradient are those without such algorithms; return the result."""
    expected = function(maps)
    torch.use_deterministic_algorithms(True)
    try:
        result = function(maps)
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(result, expected)
    weight = torch.rand(expected.shape)
    gradients = [torch.autograd.grad((each * weight).sum(), maps)[0] for each in (result, expected)]
    torch.testing.assert_close(*gradients)
    return result
