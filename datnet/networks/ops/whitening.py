"""Whitening and colouring: features take the channel covariance of others.

Li, Fang, Yang, Wang, Lu and Yang: Universal Style Transfer via Feature Transforms, NeurIPS 2017,
arXiv 1705.08086, by symmetric roots and by Cholesky factors, with gradients that stay finite.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST_EIGENVALUE = 1e-5
"""Directions of less variance count as empty, as in the published implementations."""

SMALLEST_VARIANCE = 1e-10
"""Where a direction has less, :func:`cholesky_factor` adds to the covariance.

It is a deviation of 1e-5, some hundred times the rounding of float32 features."""

RIDGE = 2e-5
"""What it adds, times one plus the mean variance of the channels; the published amount."""


def square_root(matrices: Tensor, inverse: bool = False) -> Tensor:
    """Square roots of covariances, or their inverses, on the directions that are not empty.

    The gradient is that of Daleckii and Krein: in the basis of the eigenvectors, the entry (i, j)
    of a change is multiplied by the slope ``(f(λi) - f(λj)) / (λi - λj)`` of the function between
    two eigenvalues. For roots that slope is ``1 / (√λi + √λj)``, without a difference, so equal
    eigenvalues, at which the gradient of an eigendecomposition is infinite, do no harm. Between an
    empty direction and another the distance counts as at least
    :data:`SMALLEST_EIGENVALUE`; the gradient is exact elsewhere. It has no gradient of its own.

    Args:
        matrices: ``(B, C, C)``, symmetric without negative eigenvalues.
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
    # Where one of two directions is empty, its value is 0 and the sum is the other's value.
    distances = (eigenvalues[:, :, None] - eigenvalues[:, None, :]).abs()
    slopes_to_empty = (values[:, :, None] + values[:, None, :]) / distances.clamp(
        min=SMALLEST_EIGENVALUE
    )
    slopes = slopes.where(counts[:, :, None] & counts[:, None, :], slopes_to_empty)
    rotated = vectors.mT @ matrices @ vectors
    change = slopes * (rotated - rotated.detach())  # zero, but it carries the gradient
    return vectors @ (values.diag_embed() + change) @ vectors.mT


def whiten_and_colour(content: Tensor, style: Tensor) -> Tensor:
    """Give content features the channel means and the channel covariance of the style's.

    Every image is transformed by itself, in float64: the variances of its directions span many
    orders of magnitude.

    Args:
        content: Features ``(B, C, H, W)``.
        style: Features ``(B, C, Hs, Ws)``, of any size.

    Returns:
        Features ``(B, C, H, W)`` in the precision of ``content``.
    """
    return whiten_to(content, *symmetric_moments(style))


def symmetric_moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Channel means and the symmetric root of the channel covariance, of every image by itself.

    Args:
        features: ``(B, C, H, W)`` with at least two positions.

    Returns:
        Means ``(B, C, 1)`` and roots ``(B, C, C)``, float64.
    """
    mean, _, covariance = _moments(features)
    return mean, square_root(covariance)


def whiten_to(content: Tensor, mean: Tensor, root: Tensor) -> Tensor:
    """Whiten content features and give them other channel means and another covariance.

    Linear in both, so that a mixture of styles needs one call, with mixed means and roots.

    Args:
        content: Features ``(B, C, H, W)``.
        mean: Means ``(B, C, 1)`` from :func:`symmetric_moments`.
        root: Roots ``(B, C, C)`` from there.

    Returns:
        Features ``(B, C, H, W)`` in the precision of ``content``.
    """
    _, centred, covariance = _moments(content)
    coloured = root @ square_root(covariance, inverse=True) @ centred + mean
    return coloured.view(content.shape).to(content.dtype)


def cholesky_moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Channel means and the Cholesky factor of the channel covariance, of every image by itself.

    Args:
        features: ``(B, C, H, W)`` with at least two positions.

    Returns:
        Means ``(B, C, 1)`` and lower triangular factors ``(B, C, C)``, float64.
    """
    mean, _, covariance = _moments(features)
    return mean, cholesky_factor(covariance)


def cholesky_factor(covariance: Tensor) -> Tensor:
    """The lower triangular L with ``L Lᵀ = covariance``.

    Directions with next to no variance, as constant images or small regions have, have no such
    factor, or one whose inverse magnifies rounding. A covariance with a variance below
    ``SMALLEST_VARIANCE`` gets ``RIDGE`` on its diagonal, which is enough whatever the rounding: the
    published code adds it again and again until a factor is found, and leaves out such batches in
    training.

    Args:
        covariance: ``(B, C, C)``, symmetric without negative eigenvalues but for rounding.

    Returns:
        ``(B, C, C)``.
    """
    identity = torch.eye(covariance.shape[-1]).to(covariance)
    with torch.no_grad():
        # It has a factor if and only if all variances are larger than what is subtracted.
        regular = torch.linalg.cholesky_ex(covariance - SMALLEST_VARIANCE * identity).info == 0
        ridge = RIDGE * (1 + covariance.diagonal(dim1=-2, dim2=-1).mean(dim=-1))
        ridge = ridge.where(~regular, 0)
    return torch.linalg.cholesky_ex(covariance + ridge[:, None, None] * identity).L


def recolour(content: Tensor, mean: Tensor, factor: Tensor) -> Tensor:
    """Give content features other channel means and another channel covariance.

    Linear in both, so that a mixture of styles needs one call, with mixed means and factors.

    Args:
        content: Features ``(B, C, H, W)``.
        mean: Means ``(B, C, 1)`` from :func:`cholesky_moments`.
        factor: Factors ``(B, C, C)`` from there.

    Returns:
        Features ``(B, C, H, W)`` in the precision of ``content``.
    """
    _, centred, covariance = _moments(content)
    own_factor = cholesky_factor(covariance)
    transform = torch.linalg.solve_triangular(own_factor, factor, upper=False, left=False)
    coloured = transform @ centred + mean
    return coloured.view(content.shape).to(content.dtype)


def _moments(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    flat = features.flatten(2).double()
    mean = flat.mean(dim=2, keepdim=True)
    centred = flat - mean
    covariance = centred @ centred.mT / (flat.shape[2] - 1)
    # An eigendecomposition refuses NaN; the centred features hand it on to the loss, whose check
    # tells the user what to do.
    return mean, centred, covariance.nan_to_num(nan=0, posinf=0, neginf=0)
