from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from datnet.errors import DatNetError
from datnet.evaluation.metrics import Picture
from datnet.evaluation.metrics.dists import (
    CHANNELS,
    Dists,
    StructureTextureDistance,
    learned_dists,
)
from datnet.zoo.backbones import BACKBONES


@pytest.fixture(scope="module")
def dists() -> Dists:
    generator = torch.Generator().manual_seed(0)
    backbone = {
        key: torch.randn(shape, generator=generator)
        / (9 * shape[1] if len(shape) > 1 else 9) ** 0.5
        for key, shape in BACKBONES["vgg16"].shapes.items()
    }
    total = sum(CHANNELS)
    alpha, beta = torch.rand(2, total, generator=generator)
    return Dists(backbone, alpha, beta)


def by_hand(x: Tensor, y: Tensor, alpha: Tensor, beta: Tensor) -> float:
    """One map, channel by channel: means, variances and covariance over all positions."""
    similarity = 0.0
    for channel in range(x.shape[1]):
        a, b = x[0, channel].double().flatten(), y[0, channel].double().flatten()
        covariance = ((a - a.mean()) * (b - b.mean())).mean()
        texture = (2 * a.mean() * b.mean() + 1e-6) / (a.mean() ** 2 + b.mean() ** 2 + 1e-6)
        structure = (2 * covariance + 1e-6) / (a.var(correction=0) + b.var(correction=0) + 1e-6)
        similarity += float(alpha[channel] * texture + beta[channel] * structure)
    return similarity


def test_formula_by_hand(dists: Dists) -> None:
    first, second = torch.rand(2, 1, 3, 32, 40)
    features, references = dists(first), dists(second)
    assert [level.shape[1] for level in features] == list(CHANNELS)
    assert [level.shape[2:] for level in features[1:]] == [
        (32, 40), (16, 20), (8, 10), (4, 5), (2, 3),
    ]  # fmt: skip
    start, similarity = 0, 0.0
    for x, y in zip(features, references, strict=True):
        part = slice(start, start + x.shape[1])
        similarity += by_hand(x, y, dists.alpha[part], dists.beta[part])
        start += x.shape[1]
    distance = dists.between(features, references).item()
    assert distance == pytest.approx(1 - similarity, abs=1e-4)
    assert dists.between(references, features).item() == pytest.approx(distance, abs=1e-5)


def test_pooling_is_a_weighted_root_of_mean_squares(dists: Dists) -> None:
    features = torch.zeros(1, 2, 6, 6)
    features[:, :, 2, 2] = 4.0  # in the middle of a window
    features[:, :, 4, 3] = 4.0  # between two windows: half of the weight in each
    pooled = dists._pool(features)
    assert pooled.shape == (1, 2, 3, 3)
    assert pooled[0, 0, 1, 1].item() == pytest.approx(4 * 0.25**0.5)
    assert pooled[0, 0, 2, 1].item() == pytest.approx(4 * 0.125**0.5)
    assert pooled[0, 0, 2, 2].item() == pytest.approx(4 * 0.125**0.5)


def test_equal_images_have_distance_0(dists: Dists) -> None:
    metric = StructureTextureDistance()
    content = Picture(torch.rand(1, 3, 32, 32), {"dists": dists})
    other = Picture(torch.rand(1, 3, 32, 32), {"dists": dists})
    prepared = metric.prepare_content(content)
    assert metric.measure(content, prepared, None) == pytest.approx(0, abs=1e-5)
    assert metric.measure(other, prepared, None) > 0.01


@pytest.mark.skipif(find_spec("DISTS_pytorch") is not None, reason="the learned weights are here")
def test_missing_weights_are_named_with_the_cure() -> None:
    with pytest.raises(DatNetError, match=r"pip install 'datnet\[metrics\]'"):
        learned_dists()


@pytest.mark.network
@pytest.mark.skipif(find_spec("DISTS_pytorch") is None, reason="dists-pytorch is not installed")
def test_learned_weights() -> None:
    """Their sums, as published, and that noise is farther away than a shift by two pixels."""
    dists = learned_dists()
    assert dists.alpha.sum().item() == pytest.approx(0.8760, abs=1e-4)
    assert dists.beta.sum().item() == pytest.approx(0.1240, abs=1e-4)
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    noisy = (ramp + 0.2 * torch.randn(ramp.shape)).clamp(0, 1)
    shifted = ramp.roll(2, 3)
    reference = dists(ramp)
    assert dists.between(dists(shifted), reference) < dists.between(dists(noisy), reference)
