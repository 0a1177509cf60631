"""Large images processed in strips equal those processed at once, without seams."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from datnet.networks.datnet import DatNet
from datnet.networks.decoder import Decoder, SkipDecoder
from datnet.networks.ops import strips
from datnet.networks.ops.convolution import Convolution
from datnet.networks.ops.strips import in_strips
from datnet.networks.vgg import VggEncoder


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Use the smallest strips; the list receives their heights."""
    heights: list[int] = []
    original = strips.in_strips

    def watch(layers, maps, **sizes):
        def layers_watched(*cut):
            heights.append(cut[0].shape[2])
            return layers(*cut)

        return original(layers_watched, maps, **sizes)

    monkeypatch.setattr("datnet.networks.vgg.in_strips", watch)
    monkeypatch.setattr("datnet.networks.decoder.in_strips", watch)
    return heights


def whole_and_cut(
    monkeypatch: pytest.MonkeyPatch, compute, *arguments: torch.Tensor
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    results = []
    with torch.no_grad():
        for largest in (2**25, 1):
            monkeypatch.setattr(strips, "LARGEST_UNCUT", largest)
            results.append(compute(*arguments))
    return results[0], results[1]


@pytest.mark.parametrize("size", [(64, 33), (51, 32)])
def test_encoder(monkeypatch, cut, size: tuple[int, int]) -> None:
    """VGG-19 has a larger receptive field than VGG-16: a fourth convolution before pool 3."""
    torch.manual_seed(0)
    encoder = VggEncoder("vgg19")
    whole, in_parts = whole_and_cut(monkeypatch, encoder, torch.rand(1, 3, *size))
    assert len(cut) > 50
    for expected, got in zip(whole, in_parts, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_decoders(monkeypatch, cut) -> None:
    torch.manual_seed(0)
    fused, skip = torch.randn(1, 512, 11, 3), torch.randn(1, 256, 21, 5)
    for decoder, maps in ((Decoder(), (fused,)), (SkipDecoder(), (fused, skip))):
        cut.clear()
        for module in decoder.modules():
            if isinstance(module, Convolution):
                nn.init.kaiming_normal_(module.weight)
        whole, in_parts = whole_and_cut(monkeypatch, decoder, *maps)
        assert len(cut) == 1 + 11
        assert max(cut[1:]) == 9
        assert whole.shape == in_parts.shape
        torch.testing.assert_close(in_parts, whole, rtol=1e-4, atol=1e-4)


def test_network(monkeypatch, cut, encoder: VggEncoder) -> None:
    """Statistics and attention use the whole image, however it is cut."""
    torch.manual_seed(0)
    network = DatNet(encoder).eval()
    content, style = torch.rand(1, 3, 51, 40), torch.rand(1, 3, 40, 50)
    whole, in_parts = whole_and_cut(monkeypatch, network, content, style)
    assert (whole - in_parts).abs().max() < 1e-3


def test_training_is_not_cut(monkeypatch, cut, encoder: VggEncoder) -> None:
    monkeypatch.setattr(strips, "LARGEST_UNCUT", 1)
    encoder(torch.rand(1, 3, 64, 64))
    assert len(cut) == 5


def test_channels_last_stays(monkeypatch) -> None:
    monkeypatch.setattr(strips, "LARGEST_UNCUT", 1)
    maps = torch.randn(1, 4, 9, 7).to(memory_format=torch.channels_last)
    with torch.no_grad():
        result = in_strips(
            nn.Upsample(scale_factor=2),
            [maps],
            input_rows=[1],
            output_rows=2,
            margin=1,
            numbers_per_row=1,
        )
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(result, nn.Upsample(scale_factor=2)(maps))
