"""Whitening and coloring transform (WCT): match the channel covariance of other features.

Li, Fang, Yang, Wang, Lu and Yang: Universal Style Transfer via Feature Transforms, NeurIPS 2017,
arXiv 1705.08086. With symmetric square roots or Cholesky factors, and with finite gradients.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST_EIGENVALUE = 1e-5
"""Directions with less variance are ignored, as in the published implementations."""

SMALLEST_VARIANCE = 1e-10
"""With less variance in any direction, :func:`cholesky_factor` adds a ridge to the covariance.

It is a standard deviation of 1e-5, about a hundred times the rounding error of float32 features.
"""

RIDGE = 2e-5
"""The ridge is this times (1 + mean channel variance); the value of the published code."""


def square_root(matrices: Tensor, inverse: bool = False) -> Tensor:
    """Symmetric square roots of covariance matrices, or their pseudo-inverses.

    Directions with a variance below :data:`SMALLEST_EIGENVALUE` (null directions) are 0 in the
    result.

    The gradient is the Daleckii–Krein formula: in the eigenbasis, entry (i, j) of the change is
    multiplied by the divided difference ``(f(λi) - f(λj)) / (λi - λj)``. For square roots this is
    ``1 / (√λi + √λj)``, so it stays finite for equal eigenvalues, where the gradient of an
    eigendecomposition is infinite. Between a null direction and another one the distance is taken
    as at least :data:`SMALLEST_EIGENVALUE`; otherwise the gradient is exact. There are no second
    derivatives.

    Args:
        matrices: ``(B, C, C)``, symmetric positive semi-definite.
        inverse: Whether to return the pseudo-inverses of the roots.

    Returns:
        ``(B, C, C)``, symmetric.
    """
    eigenvalues, vectors = torch.linalg.eigh(matrices.detach())
    counts = eigenvalues >= SMALLEST_EIGENVALUE
    roots = eigenvalues.where(counts, 1).sqrt()
    slopes = 1 / (roots[:, :, None] + roots[:, None, :])
    values = roots
    if inverse:
        values = 1 / roots
        slopes = -slopes * values[:, :, None] * values[:, None, :]
    values = values.where(counts, 0)
    # If one of two directions is null, its value is 0 and the sum is the other's value.
    distances = (eigenvalues[:, :, None] - eigenvalues[:, None, :]).abs()
    slopes_to_empty = (values[:, :, None] + values[:, None, :]) / distances.clamp(
        min=SMALLEST_EIGENVALUE
    )
    slopes = slopes.where(counts[:, :, None] & counts[:, None, :], slopes_to_empty)
    rotated = vectors.mT @ matrices @ vectors
    change = slopes * (rotated - rotated.detach())  # zero, but it carries the gradient
    return vectors @ (values.diag_embed() + change) @ vectors.mT


def whiten_and_color(content: Tensor, style: Tensor) -> Tensor:
    """Whitening and coloring transform: give content features the style's mean and covariance.

    Each image is transformed separately, in float64, since the variances of the directions span
    many orders of magnitude.

    Args:
        content: Content features ``(B, C, H, W)``.
        style: Style features ``(B, C, Hs, Ws)``, of any size.

    Returns:
        Features ``(B, C, H, W)`` in the dtype of ``content``.
    """
    return whiten_to(content, *symmetric_moments(style))


def symmetric_moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Channel means and the symmetric square root of the channel covariance, per image.

    Args:
        features: ``(B, C, H, W)`` with at least two positions.

    Returns:
        Means ``(B, C, 1)`` and roots ``(B, C, C)``, float64.
    """
    mean, _, covariance = _moments(features)
    return mean, square_root(covariance)


def whiten_to(content: Tensor, mean: Tensor, root: Tensor) -> Tensor:
    """Whiten content features, then color them with a given mean and square root of a covariance.

    Linear in both, so a mixture of styles takes one call with the averaged means and roots.

    Args:
        content: Content features ``(B, C, H, W)``.
        mean: Means ``(B, C, 1)`` from :func:`symmetric_moments`.
        root: Square roots ``(B, C, C)`` from :func:`symmetric_moments`.

    Returns:
        Features ``(B, C, H, W)`` in the dtype of ``content``.
    """
    _, centered, covariance = _moments(content)
    colored = root @ square_root(covariance, inverse=True) @ centered + mean
    return colored.view(content.shape).to(content.dtype)


def cholesky_moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Channel means and the Cholesky factor of the channel covariance, per image.

    Args:
        features: ``(B, C, H, W)`` with at least two positions.

    Returns:
        Means ``(B, C, 1)`` and lower triangular factors ``(B, C, C)``, float64.
    """
    mean, _, covariance = _moments(features)
    return mean, cholesky_factor(covariance)


def cholesky_factor(covariance: Tensor) -> Tensor:
    """Lower triangular L with ``L Lᵀ = covariance``, regularized where needed.

    Constant images and small regions have directions of almost no variance. Their covariance has no
    factor, or one whose inverse amplifies rounding errors. If any direction has less variance than
    :data:`SMALLEST_VARIANCE`, a ridge (:data:`RIDGE`) is added to the diagonal; one addition is
    always enough. The published code adds it repeatedly until the factorization succeeds, and skips
    such batches in training.

    Args:
        covariance: ``(B, C, C)``, symmetric positive semi-definite up to rounding.

    Returns:
        ``(B, C, C)``.
    """
    identity = torch.eye(covariance.shape[-1]).to(covariance)
    with torch.no_grad():
        # The factor exists if and only if all variances exceed SMALLEST_VARIANCE.
        regular = torch.linalg.cholesky_ex(covariance - SMALLEST_VARIANCE * identity).info == 0
        ridge = RIDGE * (1 + covariance.diagonal(dim1=-2, dim2=-1).mean(dim=-1))
        ridge = ridge.where(~regular, 0)
    return torch.linalg.cholesky_ex(covariance + ridge[:, None, None] * identity).L


def recolor(content: Tensor, mean: Tensor, factor: Tensor) -> Tensor:
    """Content features with a given channel mean and Cholesky factor of the covariance (cWCT).

    Linear in both, so a mixture of styles takes one call with the averaged means and factors.

    Args:
        content: Content features ``(B, C, H, W)``.
        mean: Means ``(B, C, 1)`` from :func:`cholesky_moments`.
        factor: Factors ``(B, C, C)`` from :func:`cholesky_moments`.

    Returns:
        Features ``(B, C, H, W)`` in the dtype of ``content``.
    """
    _, centered, covariance = _moments(content)
    own_factor = cholesky_factor(covariance)
    transform = torch.linalg.solve_triangular(own_factor, factor, upper=False, left=False)
    colored = transform @ centered + mean
    return colored.view(content.shape).to(content.dtype)


def _moments(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    flat = features.flatten(2).double()
    mean = flat.mean(dim=2, keepdim=True)
    centered = flat - mean
    covariance = centered @ centered.mT / (flat.shape[2] - 1)
    # An eigendecomposition fails for NaN. The centered features pass it on to the loss, whose check
    # tells the user what to do.
    return mean, centered, covariance.nan_to_num(nan=0, posinf=0, neginf=0)
