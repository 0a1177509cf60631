from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datnet.errors import DatNetError
from datnet.networks.microast import MicroAST
from datnet.networks.statistics import channel_mean_std
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from datnet.objectives.microast import MicroASTObjective, style_contrast


@pytest.fixture
def network() -> MicroAST:
    torch.manual_seed(1)
    return MicroAST().train()


def images(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 4, 4, generator=generator)
    return F.interpolate(small, (32, 32), mode="bicubic").clamp(0, 1)


def styles(count: int, seed: int = 0) -> list[Tensor]:
    """Encoded styles whose statistics and signals differ."""
    generator = torch.Generator().manual_seed(seed)
    levels = [torch.rand(count, 64, 8, 8, generator=generator) for _ in range(2)]
    scales = torch.rand(2, count, 64, 1, 1, generator=generator)
    signals = torch.rand(4, count, 64, 1, 1, generator=generator)
    return [*(level * scale for level, scale in zip(levels, scales, strict=True)), *signals]


def select(features: list[Tensor], order: list[int]) -> list[Tensor]:
    return [each[order] for each in features]


def published_distance(output: list[Tensor], style: list[Tensor]) -> Tensor:
    """Statistics of two levels and four signals, a mean squared error each."""
    distance = torch.zeros(())
    for index in range(2):
        for first, second in zip(
            channel_mean_std(output[index]), channel_mean_std(style[index]), strict=True
        ):
            distance = distance + F.mse_loss(first, second)
    for index in range(2, 6):
        distance = distance + F.mse_loss(output[index], style[index])
    return distance


def test_contrast_is_the_published_sum_at_a_batch_of_8(encoder: VggEncoder) -> None:
    output, style = styles(8, seed=1), styles(8)
    distances = torch.empty(8, 8)
    for i in range(8):
        for j in range(8):
            distances[i, j] = published_distance(select(output, [i]), select(style, [j]))
    own = distances.diagonal()
    published = 3 * (own / (distances.sum(dim=1) - own)).sum()
    weight = MicroASTObjective(encoder).weights["contrastive"]
    torch.testing.assert_close(weight * style_contrast(output, style), published)


def test_contrast_knows_whose_style_a_painting_has() -> None:
    style = styles(4)
    near = [s + 0.1 * n for s, n in zip(style, styles(4, seed=1), strict=True)]
    own = style_contrast(near, style).item()
    assert style_contrast(style, style).item() == 0
    assert 0 < own < 0.05
    assert style_contrast(select(near, [1, 2, 3, 0]), style).item() > 20 * own
    assert style_contrast(select(near, [1, 2, 3, 0]), style).item() > 1


@pytest.mark.parametrize("count", [2, 4, 8])
def test_contrast_is_1_where_no_style_is_nearer_whatever_the_batch(count: int) -> None:
    """Styles at equal distances from the result, each with its own signal."""
    level = torch.zeros(count, 64, 8, 8)
    zero = torch.zeros(count, 64, 1, 1)
    own_signal = torch.eye(64)[:count, :, None, None]
    output = [level, level, zero, zero, zero, zero]
    style = [level, level, own_signal, zero, zero, zero]
    assert style_contrast(output, style).item() == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize("index", range(6))
def test_every_level_and_signal_counts(index: int) -> None:
    output, style = styles(3), styles(3)
    output[index] = output[index] + torch.rand(1, 64, 1, 1)
    assert style_contrast(output, style).item() > 1e-3


@pytest.mark.parametrize("shift", [0.0, 1e-6, 1.0])
def test_equal_styles_give_finite_gradients(shift: float) -> None:
    one = styles(1)
    style = [each.repeat(2, 1, 1, 1).requires_grad_() for each in one]
    output = [(each.detach() + shift).requires_grad_() for each in style]
    contrast = style_contrast(output, style)
    gradients = torch.autograd.grad(contrast, [*output, *style])
    assert 0 <= contrast.item() <= 1.01
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_constant_images_give_finite_gradients(
    network: MicroAST, encoder: VggEncoder, level: float
) -> None:
    objective = MicroASTObjective(encoder)
    constant = torch.full((2, 3, 32, 32), level)
    loss = objective.total(objective.terms(network, constant, constant))
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_single_pair_is_refused_in_training_and_0_in_validation(
    network: MicroAST, encoder: VggEncoder
) -> None:
    objective = MicroASTObjective(encoder)
    content, style = images(1), images(1, seed=1)
    with pytest.raises(DatNetError, match=r"data\.batch_size is 1.*model\.objective\.contrastive"):
        objective.terms(network, content, style)
    without = MicroASTObjective(encoder, contrastive=0)
    assert without.terms(network, content, style).keys() == {"content", "global_style"}
    network.eval()
    result = objective.terms(network, content, style)
    assert result["contrastive"].item() == 0
    objective.total(result).backward()


@torch.no_grad()
def test_content_and_style_are_seen_by_the_encoder(network: MicroAST, encoder: VggEncoder) -> None:
    """Content un-normalized at relu4_1, style without relu5_1."""
    content, style = images(2), images(2, seed=1)
    result = MicroASTObjective(encoder).terms(network, content, style)
    output = network.generate(
        network.encode_content(content), network.encode_style(style), content.shape[2:]
    )
    stylized, wanted = encoder(output), encoder(content)
    torch.testing.assert_close(result["content"], F.mse_loss(stylized[3], wanted[3]))
    expected = terms.global_style(stylized, encoder(style), (1, 2, 3, 4))
    torch.testing.assert_close(result["global_style"], expected)
    contrast = style_contrast(network.encode_style(output), network.encode_style(style))
    torch.testing.assert_close(result["contrastive"], contrast)


def test_contrast_teaches_every_part_and_the_encoder_stays(
    network: MicroAST, encoder: VggEncoder
) -> None:
    objective = MicroASTObjective(encoder)
    contrast = objective.terms(network, images(2), images(2, seed=1))["contrastive"]
    contrast.backward()
    parts: list[nn.Module] = [network.content_encoder, network.style_encoder]
    for part in (*parts, network.modulator, network.decoder):
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters())
    assert not any(p.requires_grad for p in objective.parameters())


def test_signals_of_the_styles_learn_too(network: MicroAST) -> None:
    style = [each.requires_grad_() for each in styles(3)]
    output = [each.requires_grad_() for each in styles(3, seed=1)]
    for gradient in torch.autograd.grad(style_contrast(output, style), [*output, *style]):
        assert gradient.abs().max() > 0


@torch.no_grad()
def test_contrast_is_full_precision_in_16_bits(network: MicroAST, encoder: VggEncoder) -> None:
    objective = MicroASTObjective(encoder)
    content, style = images(2), images(2, seed=1)
    exact = objective.terms(network, content, style)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = objective.terms(network, content, style)
    for name, term in mixed.items():
        assert term.dtype == torch.float32
        assert term.item() == pytest.approx(exact[name].item(), rel=0.05), name
