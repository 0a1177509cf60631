"""The loss terms against their formulas, written out in tests/helpers/naive.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from datnet.networks.statistics import channel_mean_std
from datnet.networks.vgg import VggEncoder
from datnet.objectives import terms
from tests.helpers import naive
from tests.helpers.methods import METHODS, images, make


def features(seed: int, height: int = 8, width: int = 12, images: int = 2) -> list[Tensor]:
    """Maps of five levels, each half as large as the one before; channels differ in scale."""
    generator = torch.Generator().manual_seed(seed)
    levels = []
    for level, channels in enumerate((3, 4, 5, 6, 7)):
        size = (max(2, height >> level), max(2, width >> level))
        scale = torch.rand(channels, 1, 1, generator=generator) * 3
        values = torch.randn(images, channels, *size, generator=generator) + 0.5
        levels.append((values * scale).relu())
    return levels


def over_images(formula, *levels: list[Tensor]) -> Tensor:
    """The mean of a formula over the images of a batch."""
    images = range(len(levels[0][0]))
    values = [formula(*(naive.maps(each, image) for each in levels)) for image in images]
    return torch.tensor(np.mean(values), dtype=torch.float32)


CONTENT, OUTPUT, STYLE = features(0), features(1), features(2, 10, 6)


def test_squared_error_in_any_memory_layout() -> None:
    one, other = CONTENT[1], OUTPUT[1]
    expected = over_images(naive.difference, [one], [other])
    torch.testing.assert_close(terms.squared_error(one, other), expected)
    last = one.to(memory_format=torch.channels_last)
    torch.testing.assert_close(terms.squared_error(last, other), expected)


@pytest.mark.parametrize("levels", [(2, 3, 4, 5), (1,), (1, 2, 3, 4)])
def test_global_style(levels: tuple[int, ...]) -> None:
    expected = over_images(lambda o, s: naive.global_style(o, s, levels), OUTPUT, STYLE)
    torch.testing.assert_close(terms.global_style(OUTPUT, STYLE, levels), expected)


def naive_style_aware(output: list, style: list, levels: tuple[int, ...]) -> float:
    total = 0.0
    for level in levels:
        pairs = zip(
            naive.mean_std(output[level - 1]), naive.mean_std(style[level - 1]), strict=True
        )
        for ours, theirs in pairs:
            bound = (ours**2).sum() + (theirs**2).sum()
            total += ((ours - theirs) ** 2).sum() / bound
    return float(total)


@pytest.mark.parametrize("levels", [(2, 3, 4, 5), (1,)])
def test_style_aware(levels: tuple[int, ...]) -> None:
    expected = over_images(lambda o, s: naive_style_aware(o, s, levels), OUTPUT, STYLE)
    torch.testing.assert_close(terms.style_aware(OUTPUT, STYLE, levels), expected)


def test_style_aware_is_bounded_and_alike_for_strong_and_weak_paintings() -> None:
    """Scaled features have scaled means, so only the 1e-5 inside the root tells them apart."""
    ours, theirs, nothing = OUTPUT, STYLE, [torch.zeros_like(each) for each in OUTPUT]
    for factor in (0.3, 10.0):
        scaled = [[factor * each for each in features] for features in (ours, theirs)]
        torch.testing.assert_close(
            terms.style_aware(*scaled), terms.style_aware(ours, theirs), rtol=1e-3, atol=0
        )
    assert terms.style_aware(theirs, theirs).item() == 0
    worst = terms.style_aware(nothing, theirs, (2,)).item()
    assert worst == pytest.approx(2, rel=0.05)
    assert terms.style_aware(nothing, nothing).item() == 0


def test_the_bound_of_style_aware_has_no_gradient() -> None:
    ours = OUTPUT[1].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(terms.style_aware([OUTPUT[0], ours], STYLE, (2,)), ours)
    means, stds = (each.detach().requires_grad_() for each in channel_mean_std(ours))
    their_means, their_stds = channel_mean_std(STYLE[1])
    total = sum(
        ((a - b).square().sum((1, 2, 3)) / (a.detach() ** 2 + b**2).sum((1, 2, 3))).mean()
        for a, b in ((means, their_means), (stds, their_stds))
    )
    total.backward()
    again = OUTPUT[1].clone().requires_grad_()
    torch.autograd.backward(channel_mean_std(again), (means.grad, stds.grad))
    torch.testing.assert_close(gradient, again.grad)


@pytest.mark.parametrize("resize", ["bilinear", "nearest"])
@pytest.mark.parametrize("levels", [(3, 4, 5), (2,)])
def test_local_feature(levels: tuple[int, ...], resize: terms.Resize) -> None:
    expected = over_images(
        lambda o, c, s: naive.local_feature(o, c, s, levels, resize), OUTPUT, CONTENT, STYLE
    )
    loss = terms.local_feature(OUTPUT, CONTENT, STYLE, levels, resize)
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=0)


def test_content_restoration() -> None:
    expected = over_images(naive.difference, OUTPUT, CONTENT)
    torch.testing.assert_close(terms.content_restoration(OUTPUT, CONTENT), expected)
    deep = over_images(naive.difference, OUTPUT[3:], CONTENT[3:])
    torch.testing.assert_close(terms.content_restoration(OUTPUT, CONTENT, (4, 5)), deep)


@pytest.mark.parametrize("levels", [(4, 5), (1, 3)])
def test_normalized_content(levels: tuple[int, ...]) -> None:
    expected = over_images(lambda o, c: naive.normalized_content(o, c, levels), OUTPUT, CONTENT)
    torch.testing.assert_close(terms.normalized_content(OUTPUT, CONTENT, levels), expected)


@pytest.mark.parametrize("method", ["adain", "sanet"])
def test_the_style_aware_loss_replaces_the_style_loss(method: str, encoder: VggEncoder) -> None:
    network = make(method, encoder)[0]
    content, style = images(2, 32, 32), images(2, 32, 48, seed=1)
    with torch.no_grad():
        usual, aware = (
            METHODS[method][1](style_aware=chosen).terms(network, content, style)
            for chosen in (False, True)
        )
        output = network.generate(
            network.encode_content(content), network.encode_style(style), (32, 32)
        )
        levels = (1, 2, 3, 4) if method == "adain" else (1, 2, 3, 4, 5)
        expected = terms.style_aware(encoder(output), encoder(style), levels)
    torch.testing.assert_close(aware.pop("global_style"), expected, rtol=1e-4, atol=0)
    usual.pop("global_style")
    for name, term in usual.items():
        torch.testing.assert_close(aware[name], term, rtol=1e-4, atol=0)
