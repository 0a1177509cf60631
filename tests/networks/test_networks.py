"""Properties of all networks, whatever their weights."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from datnet.networks.adain import AdaIN
from datnet.networks.base import (
    StyleTransferNetwork,
    extend_to_multiple,
)
from datnet.networks.datnet import DatNet
from datnet.networks.sanet import SANet
from datnet.networks.vgg import VggEncoder
from tests.helpers.determinism import same_with_deterministic_algorithms
from tests.helpers.methods import ARBITRARY, METHODS, images, make


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def network(method: str, encoder: VggEncoder) -> StyleTransferNetwork:
    return make(method, encoder)[0].eval()


@torch.no_grad()
@pytest.mark.parametrize("size", [(32, 32), (33, 50), (47, 32), (64, 81), (34, 130)])
def test_any_size_and_aspect(network: StyleTransferNetwork, size: tuple[int, int]) -> None:
    output = network(images(1, *size), images(1, 61, 40))
    assert output.shape == (1, 3, *size)
    assert output.dtype == torch.float32
    assert output.isfinite().all()
    assert output.min() >= 0
    assert output.max() <= 1


def test_networks_made_in_inference_mode_paint_the_same(method: str) -> None:
    """Twice, since what is kept of weights is used the second time."""
    content, style = images(1, 64, 64), images(1, 64, 64, seed=1)

    def fresh() -> StyleTransferNetwork:
        torch.manual_seed(0)
        return make(method, VggEncoder("vgg16"))[0].eval()

    with torch.no_grad():
        expected = fresh()(content, style)
    with torch.inference_mode():
        network = fresh()
        assert torch.equal(network(content, style), expected)
        assert torch.equal(network(content, style), expected)
    with torch.no_grad():
        assert torch.equal(network(content, style), expected)


@torch.no_grad()
def test_batch_equals_singles(network: StyleTransferNetwork) -> None:
    content, style = images(3, 48, 64), images(3, 64, 48, seed=1)
    content_features, style_features = network.encode_content(content), network.encode_style(style)
    together = network.generate(content_features, style_features, (48, 64))
    for index in range(3):
        one = slice(index, index + 1)
        alone = network.generate(
            network.encode_content(content[one]), network.encode_style(style[one]), (48, 64)
        )
        torch.testing.assert_close(together[one], alone, rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_encoded_pictures_can_be_used_again(network: StyleTransferNetwork) -> None:
    """No network changes them in place: evaluation and batches encode each picture once."""
    content, style = (
        encode(images(1, 48, 48, seed=seed))
        for seed, encode in enumerate((network.encode_content, network.encode_style))
    )
    first = network.generate(content, style, (48, 48))
    assert torch.equal(network.generate(content, style, (48, 48)), first)


@torch.no_grad()
@pytest.mark.parametrize("method", ARBITRARY, indirect=True)
def test_alpha_blends_towards_the_content_painted_with_itself(
    network: StyleTransferNetwork,
) -> None:
    content, style = images(1, 48, 48), images(1, 48, 48, seed=1)
    full, half, none = (network(content, style, alpha) for alpha in (1.0, 0.5, 0.0))
    torch.testing.assert_close(full, network(content, style))
    torch.testing.assert_close(none, network(content, content), rtol=1e-4, atol=1e-5)
    assert not torch.equal(half, full)
    assert not torch.equal(half, none)


def test_bad_input_is_refused(network: StyleTransferNetwork) -> None:
    good = torch.rand(1, 3, 32, 32)
    for bad in (torch.rand(1, 3, 31, 40), torch.rand(1, 1, 40, 40), torch.rand(3, 40, 40)):
        with pytest.raises(ValueError, match="content has shape"):
            network(bad, good)
        with pytest.raises(ValueError, match="style has shape"):
            network(good, bad)
    with pytest.raises(ValueError, match="alpha"):
        network(good, good, 1.5)
    with pytest.raises(ValueError, match="2 content and 1 style"):
        network(torch.rand(2, 3, 32, 32), good)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_gradients_are_finite_on_constant_images(method: str, level: float, encoder) -> None:
    """Black content and black style: every variance is zero."""
    network, objective = make(method, encoder)
    constant = torch.full((2, 3, 32, 32), level)
    loss = objective.total(objective.terms(network, constant, constant))
    loss.backward()
    assert loss.isfinite()
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


def test_every_term_reaches_the_network_and_spares_the_encoder(method: str, encoder) -> None:
    network, objective = make(method, encoder)
    network.train()
    content, style = images(2, 32, 48), images(2, 32, 48, seed=1)
    terms = objective.terms(network, content, style)
    assert terms.keys() == objective.weights.keys()
    trainable = [p for p in network.parameters() if p.requires_grad]
    for name, term in terms.items():
        gradients = torch.autograd.grad(term, trainable, retain_graph=True, allow_unused=True)
        assert any(g is not None and g.abs().max() > 0 for g in gradients), name
    assert not any(p.requires_grad for p in encoder.parameters())
    assert not encoder.training
    expected = sum(objective.weights[name] * term.item() for name, term in terms.items())
    assert objective.total(terms).item() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_mixed_precision_gives_nearly_the_same_loss(method: str, encoder) -> None:
    network, objective = make(method, encoder)
    network.eval()
    content, style = images(1, 32, 32), images(1, 32, 32, seed=1)
    exact = objective.total(objective.terms(network, content, style))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = objective.total(objective.terms(network, content, style))
    assert mixed.dtype == torch.float32
    assert mixed.item() == pytest.approx(exact.item(), rel=0.05)


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_images_of_a_fitting_size_are_not_extended() -> None:
    """Not even by nothing: the gradient of that is none that GPUs sum in one order."""
    images = torch.rand(1, 3, 32, 40)
    assert extend_to_multiple(images, 8) is images


@pytest.mark.parametrize("size", [(33, 40), (40, 35), (38, 37)])
def test_extending_that_is_deterministic_on_gpus_is_the_same(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size).requires_grad_()
    extended = same_with_deterministic_algorithms(partial(extend_to_multiple, multiple=8), images)
    assert extended.shape[2:] == (40, 40)
    assert "ReflectionPad" not in type(extended.grad_fn).__name__  # fails on GPUs only


def test_parameter_counts() -> None:
    """By module, as counted in the published implementations.

    DatNet with VGG-19 has 26 574 886 parameters, 0.5 % fewer than the 26.71 M of the paper's
    Table 2. The paper's text describes no further layer; its counts of other networks are off by
    as much (SANet 1.0 %, AdaIN 1.4 %). One more 1 × 1 convolution in the skip of relu3_1 gives
    26 706 214, which prints as 26.71 M: the option `relu3_fusion`.
    """
    vgg19 = VggEncoder("vgg19")
    assert count(vgg19) == 12_944_960  # 12 less than published: conv0 is folded into conv1_1
    assert count(vgg19.stages[:4]) == 3_505_728
    assert count(VggEncoder("vgg16")) == 9_995_072

    full = DatNet(vgg19)
    assert count(full.attention3) == 468_096
    assert count(full.attention4) == 2_107_776
    assert count(full.attention5) == 4_599_168
    assert count(full.merge) == 2_359_808
    assert count(full.decoder) == 4_095_043
    assert full.channel_attention is not None
    assert count(full.channel_attention) == 23
    assert count(full) == 26_574_886 - 12
    assert count(DatNet(vgg19, channel_attention=False)) == 26_574_863 - 12
    assert count(DatNet(vgg19, relu3_fusion=True)) == 26_706_214 - 12

    adain, sanet = AdaIN(vgg19), SANet(vgg19)
    assert count(adain.decoder) == count(sanet.decoder) == 3_505_219
    assert count(vgg19.stages[:4]) + count(adain.decoder) == 7_010_959 - 12
    assert count(sanet.attention4) == count(sanet.attention5) == 1_050_624
    assert count(sanet) == 20_911_247 - 12


def test_datnet_starts_as_published(encoder: VggEncoder) -> None:
    """Convolutions N(0, 0.02) and zero biases; the encoder keeps its weights."""
    before = encoder.convolutions()[4].weight.clone()
    network = DatNet(encoder)
    for module in (network.attention5.query, network.merge, network.decoder.to_image[0]):
        assert module.weight.std().item() == pytest.approx(0.02, rel=0.02)
        assert module.bias.abs().max() == 0
    assert torch.equal(encoder.convolutions()[4].weight, before)
