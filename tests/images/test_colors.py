"""Keeping the content's colors, checked numerically."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from datnet.images.colors import is_gray, keep_chroma, luma, match_colors


def picture(seed: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.rand(3, 3, generator=generator)
    mixed = torch.einsum("ij,jhw->ihw", mixing, torch.rand(3, 24, 20, generator=generator))
    return low + (high - low) * (mixed - mixed.min()) / (mixed.max() - mixed.min())


def test_chroma_comes_of_the_content_and_luma_stays() -> None:
    stylized, content = picture(0), picture(1)
    result = keep_chroma(stylized, content)
    torch.testing.assert_close(luma(result), luma(stylized))
    # The chroma points where the content's does, and is as strong or, at the edge of RGB, weaker.
    chroma, wanted = result - luma(result), content - luma(content)
    share = (chroma * wanted).sum(0) / wanted.square().sum(0)
    torch.testing.assert_close(chroma, share * wanted, rtol=1e-3, atol=1e-5)
    assert share.min() >= 0
    assert share.max() <= 1 + 1e-4
    at_the_edge = (result < 1e-5) | (result > 1 - 1e-5)
    assert ((share > 1 - 1e-3) | at_the_edge.any(0)).all()
    torch.testing.assert_close(keep_chroma(content, content), content)


def test_extremes_of_chroma() -> None:
    red = torch.tensor([1.0, 0, 0])[:, None, None]
    for level in (0.0, 0.5, 1.0):
        gray = torch.full((3, 1, 1), level)
        assert torch.equal(keep_chroma(red, gray).unique().ndim * gray, gray)
        result = keep_chroma(gray, red)
        assert result.isfinite().all()
        torch.testing.assert_close(luma(result), luma(gray))
    levels = torch.arange(256).float() / 255
    gray = levels.expand(3, 1, 256)
    rounded = keep_chroma(picture(2)[:, :1, :1].expand(3, 1, 256), gray).mul(255).round()
    assert is_gray(rounded)


def test_matched_colors_have_the_mean_and_covariance() -> None:
    painting, photograph = picture(3, 0.4, 0.6), picture(4, 0.3, 0.7)
    result = match_colors(painting, photograph)
    assert 0 < result.min() < result.max() < 1  # else clamping would spoil the comparison
    wanted, made = (each.flatten(1).numpy().astype(float) for each in (photograph, result))
    assert made.mean(1) == pytest.approx(wanted.mean(1), abs=1e-5)
    assert np.cov(made) == pytest.approx(np.cov(wanted), abs=1e-5)
    torch.testing.assert_close(match_colors(painting, painting), painting)
    # Colors are a set: the order of pixels, and so the shape, does not count.
    torch.testing.assert_close(match_colors(painting, photograph.flatten(1).flip(1)), result)


def test_colors_that_hardly_vary() -> None:
    painting, gray = picture(5), picture(6)[:1].expand(3, -1, -1)
    constant = torch.tensor([0.2, 0.5, 0.9])[:, None, None].expand(3, 8, 8)
    torch.testing.assert_close(match_colors(painting, constant)[:, 3, 4], constant[:, 0, 0])
    flat = match_colors(constant, painting)
    torch.testing.assert_close(flat, painting.mean((1, 2))[:, None, None].expand(3, 8, 8))
    in_gray = match_colors(painting, gray)
    assert (in_gray - in_gray[:1]).abs().max() < 1e-4
    assert in_gray.std() > 0.05


def test_is_gray() -> None:
    gray = torch.rand(1, 4, 4).expand(3, 4, 4).clone()
    assert is_gray(gray)
    gray[1, 2, 2] += 0.1
    assert not is_gray(gray)
