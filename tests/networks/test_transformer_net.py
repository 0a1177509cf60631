"""The networks of Johnson et al. and Dumoulin et al., against a plain reading of their papers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from datnet.networks.cin import CIN
from datnet.networks.johnson import Johnson
from datnet.networks.transformer_net import Layer, TransformerNet
from tests.helpers.methods import images


def with_random_styles(network: TransformerNet) -> TransformerNet:
    torch.manual_seed(1)
    for parameter in network.style_parameters():
        torch.nn.init.normal_(parameter, mean=0.5, std=0.5)
    for seed, name in enumerate(network.paintings.names):
        network.paintings.show(name, images(1, 64, 64, seed=seed)[0])
    return network.eval()


def plain(network: TransformerNet, content: Tensor, style: int) -> Tensor:
    """The network layer by layer, with PyTorch's own operations in float64."""

    def apply(layer: Layer, maps: Tensor) -> Tensor:
        if layer.enlarge is not None:
            maps = maps.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        convolution = layer.convolution
        width = convolution.kernel_size[0] // 2
        maps = functional.conv2d(
            functional.pad(maps, (width,) * 4, mode="reflect"),
            convolution.weight.double(),
            convolution.bias.double(),
            convolution.stride,
        )
        if layer.norm is not None:
            mean = maps.mean(dim=(2, 3), keepdim=True)
            variance = maps.var(dim=(2, 3), keepdim=True)
            scale, shift = (
                each[style].double()[None, :, None, None]
                for each in (layer.norm.scale, layer.norm.shift)
            )
            maps = (maps - mean) / (variance + 1e-5).sqrt() * scale + shift
        return maps.clamp(min=0) if layer.relu else maps

    maps = content.double()
    for layer in network.layers:
        if isinstance(layer, Layer):
            maps = apply(layer, maps)
        else:
            maps = maps + apply(layer.second, apply(layer.first, maps))
    return 1 / (1 + torch.exp(-maps))


@torch.no_grad()
@pytest.mark.parametrize(("make", "style"), [(Johnson, 0), (lambda: CIN(["a", "b", "c"]), 2)])
def test_values(make, style: int) -> None:
    torch.manual_seed(0)
    network = with_random_styles(make())
    content, painting = images(1, 48, 64, seed=9), images(1, 64, 64, seed=style)
    expected = plain(network, content, style).float()
    assert expected.std() > 0.02
    torch.testing.assert_close(network(content, painting), expected, rtol=1e-3, atol=1e-4)


def test_parameters() -> None:
    """As many as pytorch/examples' network; Dumoulin et al. speak of about 3000 per style."""
    assert sum(each.numel() for each in Johnson().parameters()) == 1_679_235
    one, two = (
        sum(each.numel() for each in CIN(names).parameters()) for names in (["a"], ["a", "b"])
    )
    assert two - one == 3206
    trained = [each for each in CIN(["a", "b"], embeddings_only=True).parameters()]
    assert sum(each.numel() for each in trained if each.requires_grad) == 2 * 3206


@torch.no_grad()
def test_mixing_mixes_the_parameters() -> None:
    network = with_random_styles(CIN(["a", "b"]))
    content = images(1, 40, 52, seed=5)
    first, second = (network.encode_style(images(1, 64, 64, seed=seed)) for seed in (0, 1))
    mixed = network.generate_mixed([content], [first, second], [0.25, 0.75], (40, 52))
    between = CIN(["mixed"])
    between.load_state_dict(
        {
            name: 0.25 * tensor[:1] + 0.75 * tensor[1:] if "norm." in name else tensor
            for name, tensor in network.state_dict().items()
            if name != "paintings.1"
        }
    )
    expected = between.eval().generate(
        between.encode_content(content), between.encode_style(images(1, 64, 64)), (40, 52)
    )
    torch.testing.assert_close(mixed, expected)
    alone = network.generate([content], first, (40, 52))
    assert (mixed - alone).abs().max() > 0.01


@torch.no_grad()
def test_alpha_blends_with_the_content() -> None:
    network = with_random_styles(CIN(["a"]))
    content, style = images(1, 40, 52, seed=5), images(1, 64, 64)
    full = network(content, style)
    torch.testing.assert_close(network(content, style, 0.25), 0.75 * content + 0.25 * full)
    torch.testing.assert_close(network(content, style, 0.0), content)
