from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datnet.networks.ops.whitening import (
    RIDGE,
    cholesky_factor,
    cholesky_moments,
    recolor,
    square_root,
    whiten_and_color,
)


def features(count: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Features whose channels depend on each other and have means other than 0."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(count, channels, channels, generator=generator)
    noise = torch.randn(count, channels, height * width, generator=generator)
    means = torch.randn(count, channels, 1, generator=generator)
    return (mixing @ noise + means).view(count, channels, height, width)


def covariance(features: Tensor) -> Tensor:
    return torch.stack([torch.cov(image) for image in features.flatten(2)])


def factor(eigenvalues: list[float]) -> Tensor:
    """X such that X Xᵀ has these eigenvalues."""
    generator = torch.Generator().manual_seed(0)
    rotation, _ = torch.linalg.qr(
        torch.randn(len(eigenvalues), len(eigenvalues), generator=generator, dtype=torch.float64)
    )
    return rotation * torch.tensor(eigenvalues, dtype=torch.float64).sqrt()


EIGENVALUES = {
    "distinct": [0.01, 0.3, 1.0, 7.0],
    "equal": [0.2, 2.0, 2.0, 2.0],
    "one direction empty": [0.0, 0.1, 0.5, 2.0],
    "two directions empty": [0.0, 0.0, 1.0, 1.0],
}


@pytest.mark.parametrize("eigenvalues", EIGENVALUES.values(), ids=EIGENVALUES)
def test_square_roots(eigenvalues: list[float]) -> None:
    matrix = (factor(eigenvalues) @ factor(eigenvalues).mT)[None]
    root, inverse = square_root(matrix), square_root(matrix, inverse=True)
    torch.testing.assert_close(root @ root, matrix)
    torch.testing.assert_close(root, root.mT)
    torch.testing.assert_close(inverse, torch.linalg.pinv(root, rtol=1e-4))


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("eigenvalues", EIGENVALUES.values(), ids=EIGENVALUES)
def test_gradients_of_square_roots(eigenvalues: list[float], inverse: bool) -> None:
    """Equal eigenvalues are where the gradient of an eigendecomposition is infinite."""
    generator = torch.Generator().manual_seed(1)
    change = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    start = factor(eigenvalues)
    # Directions that are empty stay so, whatever the change: they are left out of the factor.
    kept = torch.tensor(eigenvalues) > 0

    def root(change: Tensor) -> Tensor:
        changed = ((torch.eye(4) + change) @ start)[:, kept]
        return square_root((changed @ changed.mT)[None], inverse)

    assert torch.autograd.gradcheck(root, (0.01 * change).requires_grad_())
    assert torch.autograd.gradcheck(root, torch.zeros_like(change).requires_grad_())


def test_gradients_are_bounded_where_a_direction_becomes_empty() -> None:
    """Two eigenvalues next to each other, one on either side of the limit."""
    for inverse, bound in ((False, 1e3), (True, 1e8)):
        matrix = torch.diag(torch.tensor([1.0000001e-5, 0.9999999e-5, 1.0]).double())[None]
        matrix.requires_grad_()
        square_root(matrix, inverse).sum().backward()
        assert matrix.grad.abs().max() < bound


def test_content_takes_mean_and_covariance_of_the_style() -> None:
    content, style = features(2, 6, 8, 10), features(2, 6, 5, 9, seed=1)
    output = whiten_and_color(content, style)
    assert output.shape == content.shape
    assert output.dtype == torch.float32
    torch.testing.assert_close(output.mean((2, 3)), style.mean((2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(covariance(output), covariance(style), rtol=1e-3, atol=1e-3)


def test_features_keep_their_own_statistics_and_images_do_not_mix() -> None:
    content, style = features(3, 6, 8, 10), features(3, 6, 8, 10, seed=1)
    torch.testing.assert_close(whiten_and_color(content, content), content)
    together = whiten_and_color(content, style)
    for index in range(3):
        one = slice(index, index + 1)
        torch.testing.assert_close(together[one], whiten_and_color(content[one], style[one]))


@pytest.mark.parametrize("empty", ["content", "style", "both"])
def test_constant_features(empty: str) -> None:
    inputs = {"content": features(1, 6, 8, 8), "style": features(1, 6, 8, 8, seed=1)}
    for name in ("content", "style") if empty == "both" else (empty,):
        inputs[name] = torch.full((1, 6, 8, 8), 0.3)
    content, style = (inputs[name].requires_grad_() for name in ("content", "style"))
    output = whiten_and_color(content, style)
    output.square().sum().backward()
    expected = style.mean((2, 3), keepdim=True).expand_as(output)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-4)
    assert content.grad.isfinite().all()
    assert style.grad.isfinite().all()
    assert style.grad.abs().max() > 0


def test_not_a_number_is_handed_on() -> None:
    """The check of the loss can then name the batch; an eigendecomposition would just fail."""
    content, style = features(2, 6, 8, 8), features(2, 6, 8, 8, seed=1)
    content[0, 0, 0, 0] = torch.nan
    output = whiten_and_color(content, style)
    assert output[0].isnan().any()
    assert output[1].isfinite().all()


def test_cholesky_factor_is_exact_where_there_is_one() -> None:
    """Down to standard deviations of 1e-5, for each matrix separately."""
    for eigenvalues in ([0.01, 0.3, 1.0, 7.0], [1.1e-10, 1e-6, 1.0, 2.0]):
        matrix = factor(eigenvalues) @ factor(eigenvalues).mT
        broken = torch.zeros(4, 4, dtype=torch.float64)
        result = cholesky_factor(torch.stack([matrix, broken]))
        assert torch.equal(result, result.tril())
        torch.testing.assert_close(result[0] @ result[0].mT, matrix, rtol=0, atol=1e-15)
        torch.testing.assert_close(result[1] @ result[1].mT, RIDGE * torch.eye(4).double())


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e6])
@pytest.mark.parametrize("empty", [0.0, 0.9e-10, -1e-16])
def test_cholesky_factor_where_there_is_none(empty: float, size: float) -> None:
    """Empty directions, and those that rounding made less than empty, whatever the others have."""
    rotation = factor([1.0, 1.0, 1.0, 1.0])
    variances = torch.tensor([empty, empty, size, 2 * size], dtype=torch.float64)
    matrix = rotation @ variances.diag() @ rotation.mT
    result = cholesky_factor(matrix[None])[0]
    ridge = RIDGE * (1 + variances.mean().item())
    difference = result @ result.mT - matrix - ridge * torch.eye(4)
    assert difference.abs().max() < 1e-12 * (1 + size)
    assert torch.linalg.inv(result).abs().max() < 1.1 / ridge**0.5


def test_recolouring_transfers_mean_and_covariance() -> None:
    content, style = features(2, 5, 12, 10), features(2, 5, 9, 11, seed=1)
    result = recolor(content, *cholesky_moments(style))
    assert result.dtype == content.dtype
    torch.testing.assert_close(covariance(result), covariance(style), rtol=1e-4, atol=1e-4)
    expected = style.mean(dim=(2, 3))
    torch.testing.assert_close(result.mean(dim=(2, 3)), expected, rtol=1e-4, atol=1e-4)
    same = recolor(content, *cholesky_moments(content))
    torch.testing.assert_close(same, content, rtol=1e-5, atol=1e-5)


def test_recolouring_is_by_the_triangular_factors() -> None:
    """Not by the symmetric roots: the two differ by a rotation."""
    content, style = features(1, 4, 8, 8).double(), features(1, 4, 8, 8, seed=1).double()
    content_factor, style_factor = (
        torch.linalg.cholesky(covariance(each)[0]) for each in (content, style)
    )
    centered = (content - content.mean(dim=(2, 3), keepdim=True)).flatten(2)[0]
    expected = style_factor @ torch.linalg.inv(content_factor) @ centered
    result = recolor(content, *cholesky_moments(style)).flatten(2)[0]
    result = result - result.mean(dim=1, keepdim=True)
    torch.testing.assert_close(result, expected)
    other = whiten_and_color(content, style).flatten(2)[0]
    assert (other - other.mean(dim=1, keepdim=True) - expected).abs().max() > 0.1


def test_gradients_of_recolouring() -> None:
    content, style = features(1, 3, 3, 4).double(), features(1, 3, 4, 3, seed=1).double()

    def apply(content: Tensor, style: Tensor) -> Tensor:
        return recolor(content, *cholesky_moments(style))

    torch.autograd.gradcheck(apply, (content.requires_grad_(), style.requires_grad_()))


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_gradients_of_recolouring_constants_are_finite(level: float) -> None:
    constant = torch.full((1, 4, 6, 6), level)
    for content, style in (
        (constant, features(1, 4, 6, 6)),
        (features(1, 4, 6, 6), constant),
        (constant, constant),
    ):
        content, style = content.clone().requires_grad_(), style.clone().requires_grad_()
        result = recolor(content, *cholesky_moments(style))
        assert result.isfinite().all()
        for gradient in torch.autograd.grad(result.square().sum(), (content, style)):
            assert gradient.isfinite().all()


def test_what_is_not_finite_is_handed_on() -> None:
    """So that the check of the loss tells the user, instead of an exception from inside torch."""
    broken = features(1, 4, 6, 6)
    broken[0, 0, 0, 0] = torch.nan
    assert recolor(broken, *cholesky_moments(features(1, 4, 6, 6))).isnan().any()
    assert recolor(features(1, 4, 6, 6), *cholesky_moments(broken)).isnan().any()
