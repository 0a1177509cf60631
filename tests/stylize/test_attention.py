"""Attention as arrays and as pictures, with a network whose attention can be predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from datnet import Stylizer
from datnet.errors import DatNetError
from datnet.networks.adain import AdaIN
from datnet.networks.datnet import DatNet
from datnet.networks.vgg import VggEncoder
from datnet.stylize.attention import ChannelGates, attention_of, channel_gates
from datnet.stylize.attention_pictures import (
    CHROMA,
    correspondence_map,
    entropy_map,
    gate_strips,
    heat_over,
    legend,
    marked,
    position_colors,
    share_map,
)
from datnet.stylize.gates_figure import gates_figure
from tests.helpers.pixel_network import write_pixel_network


@pytest.fixture(scope="module")
def stylizer(tmp_path_factory: pytest.TempPathFactory) -> Stylizer:
    """Attends from each pixel to the pixels of the painting by the product of their colors."""
    return Stylizer(write_pixel_network(tmp_path_factory.mktemp("network") / "n"), device="cpu")


PHOTO = Image.new("RGB", (48, 40), "red")
PAINTING = Image.new("RGB", (64, 32), "black")
PAINTING.putpixel((50, 20), (255, 0, 0))


def test_arrays_say_where_each_pixel_looks(stylizer: Stylizer) -> None:
    attention = stylizer.attention(PHOTO, PAINTING)
    (level,) = attention.levels
    assert (level.name, level.grid, level.style_grid) == ("pixels", (40, 48), (32, 64))
    weights = level.weights([(0, 0), (47.9, 39)])
    assert weights.shape == (2, 32, 64)
    assert weights.sum(axis=(1, 2)) == pytest.approx(1)
    assert np.unravel_index(weights[1].argmax(), (32, 64)) == (20, 50)
    found = level.correspondence()
    assert found.strongest.shape == (40, 48, 2)
    assert (found.strongest == (50, 20)).all()
    assert found.share[20, 50] == pytest.approx(weights[0, 20, 50], rel=1e-4)
    probability = weights[0].astype(float)
    bits = -(probability * np.log2(probability)).sum()
    assert found.entropy == pytest.approx(np.full((40, 48), bits), rel=1e-4)
    assert attention.result.size == PHOTO.size


def test_sizes(stylizer: Stylizer) -> None:
    """Large photographs are reduced, paintings are at most as large; both can be set."""
    attention = stylizer.attention(PHOTO.resize((1000, 800)), PAINTING.resize((2000, 1000)))
    assert (attention.photograph.size, attention.painting.size) == ((640, 512), (1024, 512))
    attention = stylizer.attention(PHOTO, PAINTING, size=80, style_size=48)
    assert (attention.photograph.size, attention.painting.size) == ((96, 80), (96, 48))


@pytest.mark.parametrize("point", [(48, 0), (-1, 0), (0, 40.0), (float("nan"), 1)])
def test_points_outside_are_refused(stylizer: Stylizer, point: tuple[float, float]) -> None:
    (level,) = stylizer.attention(PHOTO, PAINTING).levels
    with pytest.raises(DatNetError, match=r"outside the photograph of 48 × 40 pixels"):
        level.weights([point])


def test_networks_without_attention_are_refused(encoder: VggEncoder) -> None:
    with pytest.raises(DatNetError, match=r"AdaIN has no attention.*SANet"):
        attention_of(AdaIN(encoder).eval(), PHOTO, PAINTING)
    for network in (AdaIN(encoder), DatNet(encoder, channel_attention=False)):
        with pytest.raises(DatNetError, match="no channel attention"):
            channel_gates(network.eval(), PHOTO, PAINTING)


def test_gates_are_those_that_scale_the_features(encoder: VggEncoder) -> None:
    torch.manual_seed(0)
    network = DatNet(encoder).eval()
    gates = channel_gates(network, PHOTO, PAINTING)
    assert [each.name for each in gates] == [f"relu{level}_1" for level in range(1, 6)]
    from datnet.images.tensors import to_tensor

    features = network.encoder(to_tensor(PAINTING)[None])[3]
    encoded = network.encode_style(to_tensor(PAINTING)[None])[2]
    expected = torch.from_numpy(gates[3].painting)[None, :, None, None] * features
    torch.testing.assert_close(encoded, expected, rtol=1e-4, atol=1e-5)


def test_the_map_has_the_colors_of_the_legend(stylizer: Stylizer) -> None:
    """Lightness stays that of the picture; hue and chroma are those of the place looked at."""
    attention = stylizer.attention(PHOTO, PAINTING)
    (level,) = attention.levels
    found = level.correspondence()
    shown = rgb2lab(np.asarray(correspondence_map(attention.photograph, level, found)))
    place = rgb2lab(np.asarray(legend(Image.new("RGB", PAINTING.size, "red"))))[20, 50]
    assert shown.reshape(-1, 3) == pytest.approx(np.tile(place, (48 * 40, 1)), abs=2)
    middle = position_colors(np.array(0.5), np.array(0.5))
    left, right = (position_colors(np.array(x), np.array(0.5)) for x in (0.0, 1.0))
    assert middle == pytest.approx([0, 0])
    assert np.linalg.norm(right - left) == pytest.approx(2 * CHROMA)


def test_pictures_fit_the_pictures_that_they_are_of(stylizer: Stylizer) -> None:
    attention = stylizer.attention(PHOTO, PAINTING)
    (level,) = attention.levels
    found = level.correspondence()
    assert entropy_map(level, found, PHOTO.size).size == PHOTO.size
    shares = np.asarray(share_map(PAINTING, level, found)).astype(int).sum(axis=2)
    assert np.unravel_index(shares.argmax(), shares.shape) == (20, 50)


def test_heat_of_coarse_positions_covers_their_pixels() -> None:
    values = np.zeros((2, 3))
    values[1, 2] = 0.01  # relative to the largest
    heat = np.asarray(heat_over(Image.new("RGB", (21, 13)), values, 8)).astype(int).sum(axis=2)
    assert (heat[8:, 16:] > 300).all()
    assert (heat[:8] < 100).all()
    assert (heat[:, :16] < 100).all()


@pytest.mark.parametrize("x", [0, 60])
def test_marks_are_seen_on_black_and_on_white(x: int) -> None:
    for color in ("black", "white"):
        plain = Image.new("RGB", (64, 48), color)
        assert len(set(marked(plain, x, 20, "1").get_flattened_data())) > 1
        assert set(plain.get_flattened_data()) == {plain.getpixel((0, 0))}


def test_gates_as_pictures(tmp_path: Path) -> None:
    high, low = np.array([0.9, 0.5, 0.1]), np.array([0.1, 0.5, 0.9])
    gates = [ChannelGates("relu1_1", high, low)]
    (strip,) = gate_strips(gates, (6, 4))
    red, white, blue = (strip.getpixel((x, 0)) for x in (0, 2, 5))
    assert red[0] > red[2] + 30
    assert blue[2] > blue[0] + 30
    assert min(white) > 220
    assert strip.getpixel((5, 3)) == red
    pytest.importorskip("matplotlib")
    gates_figure(gates, "title", tmp_path / "gates.png")
    assert Image.open(tmp_path / "gates.png").width > 500
    with pytest.raises(DatNetError, match=r"\.png or \.pdf"):
        gates_figure(gates, "title", tmp_path / "gates.jpg")
