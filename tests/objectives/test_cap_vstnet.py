from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from datnet.networks.cap_vstnet import CAPVSTNet, CAPVSTNetArtistic, CAPVSTNetPhotorealistic
from datnet.networks.ops.whitening import cholesky_moments
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.cap_vstnet import CAPVSTNetObjective, matting, matting_energy


@pytest.fixture(params=[CAPVSTNetPhotorealistic, CAPVSTNetArtistic])
def network(request: pytest.FixtureRequest) -> CAPVSTNet:
    torch.manual_seed(0)
    return request.param().train()


def images(seed: int, count: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 8, 8, generator=generator)
    return F.interpolate(small, (32, 36), mode="bicubic").clamp(0, 1)


def levin_laplacian(guide: Tensor, epsilon: float = 1e-7) -> Tensor:
    """The matting Laplacian by its published formula, a whole matrix, from ``(3, H, W)``."""
    _, height, width = guide.shape
    numbers = torch.arange(height * width).view(height, width)
    laplacian = torch.zeros(height * width, height * width, dtype=torch.float64)
    for y in range(height - 2):
        for x in range(width - 2):
            colors = guide[:, y : y + 3, x : x + 3].flatten(1).double()
            inside = numbers[y : y + 3, x : x + 3].flatten()
            centered = colors - colors.mean(dim=1, keepdim=True)
            covariance = centered @ centered.mT / 9 + epsilon / 9 * torch.eye(3)
            affinity = (1 + centered.mT @ torch.linalg.inv(covariance) @ centered) / 9
            laplacian[inside[:, None], inside] += torch.eye(9) - affinity
    return laplacian


@pytest.mark.parametrize("kind", ["noise", "flat in places", "gray"])
def test_matting_is_levins_quadratic_form(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    guide, stylized = torch.rand(2, 2, 3, 7, 9, generator=generator)
    if kind == "flat in places":
        guide[:, :, :, 4:] = 0.25
    if kind == "gray":
        guide = guide.mean(dim=1, keepdim=True).expand(2, 3, 7, 9)
    energy, gradient = matting_energy(stylized, guide)
    assert energy.shape == (2,)
    for index in range(2):
        laplacian = levin_laplacian(guide[index])
        values = stylized[index].flatten(1).double()
        expected = (values @ laplacian * values).sum() / 63
        torch.testing.assert_close(energy[index], expected, rtol=1e-6, atol=1e-9)
        slope = (2 * values @ laplacian / 63).view(3, 7, 9)
        torch.testing.assert_close(gradient[index], slope, rtol=1e-6, atol=1e-9)


def test_matting_is_free_for_linear_changes_of_colour() -> None:
    content = images(0)
    mixing = torch.tensor([[0.5, 0.2, 0.1], [0.0, -0.7, 0.3], [0.4, 0.4, 0.4]])
    recoloured = torch.einsum("oc,bchw->bohw", mixing, content) + 0.1
    free, _ = matting_energy(recoloured, content)
    assert 0 <= free.item() < 1e-5
    other, _ = matting_energy(images(1), content)
    assert other.item() > 1000 * free.item()


def test_matting_gradient_is_clamped_for_each_image() -> None:
    """As published: after the weight, for every color value, in a batch of any size."""
    generator = torch.Generator().manual_seed(0)
    stylized, content = torch.rand(2, 3, 3, 16, 20, generator=generator)
    stylized.requires_grad_()
    energy, slope = matting_energy(stylized, content)
    limit = slope.abs().median().item()
    loss = matting(stylized, content, limit)
    torch.testing.assert_close(loss, energy.mean().float())
    (gradient,) = torch.autograd.grad(5 * loss, stylized)
    expected = 5 * slope.clamp(-limit, limit).float() / 3
    torch.testing.assert_close(gradient, expected)
    assert 0.3 < (gradient.abs() > 4.99 * limit / 3).float().mean() < 0.7


def test_published_batch_has_the_published_gradient(encoder: VggEncoder) -> None:
    """1500 times the summed gradient of two images, clamped at 0.05."""
    generator = torch.Generator().manual_seed(0)
    stylized, content = torch.rand(2, 2, 3, 32, 36, generator=generator)
    stylized.requires_grad_()
    objective = CAPVSTNetObjective(encoder)
    weight = objective.weights["matting"]
    (gradient,) = torch.autograd.grad(weight * matting(stylized, content, 0.1 / weight), stylized)
    _, slope = matting_energy(stylized, content)
    torch.testing.assert_close(gradient, (1500 * slope).clamp(-0.05, 0.05).float())


@torch.no_grad()
def test_terms(network: CAPVSTNet, encoder: VggEncoder) -> None:
    objective = CAPVSTNetObjective(encoder)
    assert objective.weights == {"global_style": 1.0, "matting": 3000.0, "cycle": 10.0}
    content, style = images(0, count=2), images(1, count=2).square()
    result = objective.terms(network, content, style)
    maps = network.encode(content)
    stylized = network.generate([maps], network.encode_style(style), (32, 36))
    back = network.generate([network.encode(stylized)], cholesky_moments(maps), (32, 36))
    expected = {
        "global_style": terms.global_style(encoder(stylized), encoder(style), (1, 2, 3, 4)),
        "matting": matting_energy(stylized, content)[0].mean().float(),
        "cycle": (back - content).abs().mean(),
    }
    assert result.keys() == expected.keys()
    for name, value in result.items():
        assert value > 0
        torch.testing.assert_close(value, expected[name], msg=name)


@torch.no_grad()
def test_content_as_its_own_style_costs_next_to_nothing(
    network: CAPVSTNet, encoder: VggEncoder
) -> None:
    result = CAPVSTNetObjective(encoder, content=1.0).terms(network, images(0), images(0))
    assert result["global_style"] < 1e-6
    assert result["content"] < 1e-6
    assert result["cycle"] < 1e-4
    assert result["matting"] < 1e-4


def test_terms_without_weight_are_left_out(encoder: VggEncoder) -> None:
    network = CAPVSTNetPhotorealistic()
    objective = CAPVSTNetObjective(encoder, matting=0, cycle=0)
    assert objective.terms(network, images(0), images(1)).keys() == {"global_style"}
    objective = CAPVSTNetObjective(encoder, global_style=0, matting=0, cycle=0, content=1)
    assert objective.terms(network, images(0), images(1)).keys() == {"content"}


@pytest.mark.slow
def test_training_lowers_the_loss(network: CAPVSTNet, encoder: VggEncoder) -> None:
    objective = CAPVSTNetObjective(encoder, matting=2.0, cycle=1.0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    losses = []
    for _ in range(6):
        loss = objective.total(objective.terms(network, images(0), images(1).square()))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
