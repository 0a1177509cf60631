"""The perceptual losses, against their formulas in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from datnet.networks.cin import CIN
from datnet.networks.vgg import VggEncoder
from datnet.objectives.perceptual import PerceptualObjective, layers_of, squared_differences
from tests.helpers.methods import images
from tests.helpers.naive import maps, squared_error


@pytest.mark.parametrize(
    ("arch", "positions"), [("vgg16", (3, 8, 15, 22)), ("vgg19", (3, 8, 15, 24))]
)
def test_layers(arch: str, positions: tuple[int, ...]) -> None:
    """Positions of relu1_2, relu2_2, relu3_3 and relu4_3 in torchvision's lists of layers."""
    encoder = VggEncoder(arch)
    content = images(1, 32, 48)
    for position, features in zip(positions, layers_of(encoder, content), strict=True):
        expected = torch.nn.Sequential(*encoder.layers()[: position + 1])(content)
        assert torch.equal(features, expected)


def gram(features: np.ndarray, per_channel: bool) -> np.ndarray:
    channels, height, width = features.shape
    result = np.zeros((channels, channels))
    for row in range(height):
        for column in range(width):
            result += np.outer(features[:, row, column], features[:, row, column])
    return result / (height * width) / (channels if per_channel else 1)


@pytest.mark.parametrize("per_channel", [True, False])
def test_terms(encoder: VggEncoder, per_channel: bool) -> None:
    torch.manual_seed(0)
    network = CIN(["a", "b"])
    for seed, name in enumerate(network.paintings.names):
        network.paintings.show(name, images(1, 64, 64, seed=seed)[0])
    content = images(3, 32, 32, seed=5)
    style = torch.cat([images(1, 40, 40, seed=seed) for seed in (1, 0, 1)])
    objective = PerceptualObjective(encoder, per_channel=per_channel)
    with torch.no_grad():
        terms = objective.terms(network, content, style)
        output = network.generate([content], network.encode_style(style), (32, 32))
        of = {
            name: layers_of(encoder, each)
            for name, each in (("output", output), ("content", content), ("style", style))
        }
    expected = {"content": 0.0, "style": 0.0, "total_variation": 0.0}
    for image in range(3):
        ours, contents, styles = (maps(of[name], image) for name in ("output", "content", "style"))
        expected["content"] += squared_error(ours[2], contents[2]) / 3
        for one, other in zip(ours, styles, strict=True):
            difference = gram(one, per_channel) - gram(other, per_channel)
            expected["style"] += np.mean(difference**2) / 3
    values = output.double().numpy()
    for image, channel, row, column in np.ndindex(values.shape):
        for below, right in ((1, 0), (0, 1)):
            if row + below < 32 and column + right < 32:
                neighbor = values[image, channel, row + below, column + right]
                difference = neighbor - values[image, channel, row, column]
                expected["total_variation"] += difference**2 / values.size
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-4), name


def test_a_picture_of_one_color_has_no_differences() -> None:
    assert squared_differences(torch.full((2, 3, 8, 8), 0.3)).item() == 0
