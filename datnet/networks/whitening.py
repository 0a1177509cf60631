"""Whitening and colouring: features take the channel covariance of others.

Li, Fang, Yang, Wang, Lu and Yang: Universal Style Transfer via Feature Transforms, NeurIPS 2017,
arXiv 1705.08086, with gradients that stay finite.
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST_EIGENVALUE = 1e-5
"""Directions of less variance count as empty, as in the published implementations."""


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
    _, content_centred, content_covariance = _moments(content)
    style_mean, _, style_covariance = _moments(style)
    transform = square_root(style_covariance) @ square_root(content_covariance, inverse=True)
    coloured = transform @ content_centred + style_mean
    return coloured.view(content.shape).to(content.dtype)


def _moments(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    flat = features.flatten(2).double()
    mean = flat.mean(dim=2, keepdim=True)
    centred = flat - mean
    covariance = centred @ centred.mT / (flat.shape[2] - 1)
    # An eigendecomposition refuses NaN; the centred features hand it on to the loss, whose check
    # tells the user what to do.
    return mean, centred, covariance.nan_to_num(nan=0, posinf=0, neginf=0)
